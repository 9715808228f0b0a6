"""Workflows, their steps and the calls of their tools."""

from __future__ import annotations

import pytest
from guard_support import figures, new_guard, refused, spend, usage

from outlay import BudgetExceeded, StepLimitExceeded

POLICY = {
    "defaults": {"on_unknown_price": "zero"},
    "workflow": [
        {
            "name": "release",
            "limit": {"usd": "0.000100", "steps": 3, "tool_calls": 2, "calls": 20},
            "step": {"default": {"tokens": 60}, "review": {"tokens": 150, "usd": "0.000080"}},
        }
    ],
}


def test_steps_are_charged_to_the_workflow_that_matches(clock):
    """To each run of it, and to no other."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        for _ in range(3):
            with guard.step("x"):
                pass
        with pytest.raises(StepLimitExceeded) as caught, guard.step("x"):
            raise AssertionError("a step too many began")
        assert caught.value.scope["workflow"] == "release"
        assert figures(guard, "release", "steps", run="r") == (3, 0)
    with guard.run("s", workflow="release"), guard.step("x"):
        pass
    for _ in range(9):
        guard.charge_step()
        guard.charge_step(workflow="other")


def test_a_step_by_name_limits_one_execution(clock):
    """The next one has all of it again."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        for _ in range(2):
            with guard.step("review"):
                spend(guard, 100)
                denied = refused(guard.reserve, 51)
                assert isinstance(denied, BudgetExceeded)
                assert "release.step.review" in denied.message
                spend(guard, 50)


def test_the_default_stands_back_for_a_step_with_a_name_of_its_own(clock):
    """60 tokens for all others."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        with guard.step("draft"):
            spend(guard, 60)
            refused(guard.reserve, 1)
        with guard.step("review"):
            spend(guard, 61)


def test_the_default_is_that_of_a_step_without_a_name(clock):
    """Whose name is "default"."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"), guard.step():
        spend(guard, 60)
        refused(guard.reserve, 1)


def test_steps_nest_and_each_pays_its_own(clock):
    """Inside the inner one the inner limit is meant, then the outer one again."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"), guard.step("draft"):
        spend(guard, 30)
        with guard.step("review"):
            spend(guard, 150)
            refused(guard.reserve, 1)
        spend(guard, 30)
        refused(guard.reserve, 1)


def test_tool_calls_are_counted_apart(clock):
    """A call of a model is none."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        spend(guard, 5)
        spend(guard, tool="a")
        spend(guard, tool="b")
        assert refused(guard.reserve, tool="a").scope["workflow"] == "release"
        spend(guard, 5)
        assert figures(guard, "release", "tool_calls", run="r") == (2, 0)
        assert figures(guard, "release", "calls", run="r") == (4, 0)


def test_a_workflow_limits_money_over_all_of_its_steps(clock):
    """To the micro-dollar."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        with guard.step("review"):
            spend(guard, usage(cost=80))
            assert "step.review" in refused(guard.reserve, usage(cost=1)).message
        with guard.step("draft"):
            spend(guard, usage(cost=20))
            denied = refused(guard.reserve, usage(cost=1))
        assert "Cost" in denied.message
        assert denied.scope["workflow"] == "release"


def test_a_step_that_fails_was_a_step_all_the_same(clock):
    """And leaves no labels behind."""
    guard = new_guard(clock, POLICY)
    with guard.run("r", workflow="release"):
        with pytest.raises(ValueError), guard.step("draft"):
            raise ValueError
        assert figures(guard, "release", "steps", run="r") == (1, 0)
        spend(guard, 1000)
    spend(guard, step="draft")


def test_a_workflow_may_be_a_pattern(clock):
    """One counter per run for all that match."""
    guard = new_guard(clock, {"workflow": [{"name": "rel-*", "limit": {"steps": 1}, "window": "lifetime"}]})
    guard.charge_step(workflow="rel-1")
    refused(guard.charge_step, workflow="rel-2")
    guard.charge_step(workflow="other")
