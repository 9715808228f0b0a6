"""Amounts that are kept back for the final answer, and advice for the model."""

from __future__ import annotations

import pytest
from guard_support import budget, estimate, figures, new_guard, refused, spend

from outlay import InvalidId

KEPT = budget(limit={"tokens": 100, "calls": 50}, landing={"tokens": 30})


def test_what_is_kept_back_is_for_the_final_answer_alone(clock):
    """Inside of landing(), up to the limit."""
    guard = new_guard(clock, KEPT)
    spend(guard, 70)
    denied = refused(guard.reserve, 1)
    assert denied.remaining == 0
    with guard.landing():
        spend(guard, 30)
        assert refused(guard.reserve, 1).limit == 100
    assert figures(guard, "b") == (100, 0)


def test_landing_ends_with_its_block(clock):
    """However it ends; check obeys it too."""
    guard = new_guard(clock, KEPT)
    with pytest.raises(ValueError), guard.landing():
        guard.check(100)
        raise ValueError
    refused(guard.check, 71)


def test_landing_is_no_label(clock):
    """No rule and no user sees it."""
    guard = new_guard(clock, budget(scope={"agent": "*"}, limit={"tokens": 10}))
    with guard.landing(), guard.scope(agent="a"):
        spend(guard, 4)
        assert figures(guard, "b", agent="a") == (4, 0)


def test_landing_cannot_be_reached_by_a_label(clock):
    """Whatever its name."""
    guard = new_guard(clock, KEPT)
    for call in (guard.reserve, guard.bind, guard.bind().reserve):
        with pytest.raises(InvalidId):
            call(**{" landing": "yes"})
    with pytest.raises(InvalidId), guard.scope(**{" landing": "yes"}):
        guard.reserve(100)


def test_advice_is_the_least_that_any_limit_leaves(clock):
    """Of those that match and are hard."""
    policy = {
        "budget": [
            {"name": "a", "limit": {"tokens": 1000, "usd": "0.001"}},
            {"name": "b", "limit": {"tokens": 500, "calls": 7}},
            {"name": "soft", "limit": {"tokens": 1}, "mode": "soft"},
            {"name": "other", "scope": {"agent": "x"}, "limit": {"tokens": 1}},
        ]
    }
    guard = new_guard(clock, policy)
    assert guard.advice() == {
        "remaining": {"tokens": 500, "cost_micros_usd": 1000, "calls": 7},
        "usd": "0.001",
        "rates": {},
        "calls_left_estimate": 7,
        "landing": False,
    }
    spend(guard, estimate(100, 500))
    told = guard.advice()
    assert told["remaining"] == {"tokens": 400, "cost_micros_usd": 500, "calls": 6}
    assert told["calls_left_estimate"] == 1
    assert guard.advice(agent="x")["remaining"]["tokens"] == 1


def test_advice_says_when_only_the_landing_is_left(clock):
    """And what was open is taken away."""
    guard = new_guard(clock, KEPT)
    held = guard.reserve(69)
    assert guard.advice()["landing"], "no other call of 69 fits"
    assert not guard.advice(estimate=1)["landing"]
    spend(guard, 1)
    assert guard.advice()["landing"]
    assert guard.advice()["remaining"]["tokens"] == 0
    held.release()
    assert not guard.advice()["landing"]


def test_nothing_limited_is_no_advice(clock):
    """Nobody knows how many calls are left."""
    guard = new_guard(clock, {})
    advice = guard.advice(agent="a")
    assert advice == {"remaining": {}, "rates": {}, "calls_left_estimate": None, "landing": False}


def test_calls_that_are_kept_back_are_a_landing_too(clock):
    """Only one call is left, for the final answer."""
    guard = new_guard(clock, budget(limit={"calls": 2}, landing={"calls": 1}))
    spend(guard)
    refused(guard.reserve)
    assert guard.advice()["landing"]


def test_a_check_changes_no_advice(clock):
    """It was no call."""
    guard = new_guard(clock, budget(limit={"tokens": 1000}))
    spend(guard, 100)
    before = guard.advice()
    for _ in range(9):
        guard.check(100)
    assert guard.advice() == before


def test_many_small_calls_are_estimated_rightly(clock):
    """A token for two calls is one token each, rounded up."""
    guard = new_guard(clock, budget(limit={"tokens": 101}))
    spend(guard, 1)
    spend(guard, 0)
    assert guard.advice()["calls_left_estimate"] == 100
