"""The clocks: durations are monotonic, a step of the wall clock refills nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from face_support import HOUR, budget_limit

from outlay import (
    AgentTokenBudget,
    BudgetManager,
    ManualClock,
    PolicyError,
    SharedPool,
    SystemClock,
    WorkflowQuota,
)


def test_a_manual_clock_stands_still_until_it_is_told_to_move(clock):
    """And then moves by exactly that much."""
    budget = AgentTokenBudget("a", 10, 100, clock=clock)
    assert budget.time_until_reset() == 100.0
    clock.advance(dt.timedelta(milliseconds=1500))
    clock.advance(0.5)
    clock.advance(np.int64(1))
    clock.advance(0)
    assert budget.time_until_reset() == 97.0


@pytest.mark.parametrize(
    "bad", [-1, -0.5, float("nan"), float("inf"), "1", None, True, dt.timedelta(seconds=-1), 1j]
)
def test_a_clock_does_not_go_backwards_or_nowhere(clock, bad):
    """Bad steps are refused by name and change nothing."""
    budget = AgentTokenBudget("a", 10, 100, clock=clock)
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(bad)
    assert budget.time_until_reset() == 100.0


def test_a_bad_step_is_a_typed_error(clock):
    """Bad input is InvalidAmount, InvalidId or PolicyError everywhere."""
    with pytest.raises(PolicyError):
        clock.advance(-1)


@pytest.mark.parametrize(
    "bad", ["2026-01-01", 0, None, dt.date(2026, 1, 1), dt.datetime.min, dt.datetime.max]
)
def test_a_wall_time_that_is_none_is_refused(clock, bad):
    """A datetime between 1678 and 2262."""
    with pytest.raises((TypeError, ValueError)):
        clock.set_time(bad)


def test_a_step_of_the_wall_clock_refills_nothing(clock, tmp_path):
    """Law 7: forwards and backwards, aware and naive."""
    budget = AgentTokenBudget("a", 10, HOUR, clock=clock)
    quota = WorkflowQuota(1, 1, HOUR, clock=clock)
    manager = BudgetManager(clock=clock)
    manager.set_budget(budget_limit("a", 10, 1, HOUR))
    lease = SharedPool(capacity_tokens=10, clock=clock).reserve(1)
    budget.consume("x", 10)
    quota.begin_workflow("w")
    manager.agent("a").charge(10)
    zone = dt.timezone(dt.timedelta(hours=5))
    for year in (2200, 1700):
        clock.set_time(dt.datetime(year, 1, 1))
        clock.set_time(dt.datetime(year, 1, 1, tzinfo=zone))
        assert not budget.try_consume("x", 1)
        assert quota.remaining() == 0
        assert not manager.can_schedule("a")
        assert lease.state == "open"
        assert budget.time_until_reset() == HOUR


def test_a_window_ends_at_its_whole_period_and_not_before(clock):
    """No drift: the third window starts at twice the period."""
    budget = AgentTokenBudget("a", 10, 60, clock=clock)
    budget.consume("x", 10)
    clock.advance(59.999999999)
    assert not budget.try_consume("x", 1)
    clock.advance(0.000000001)
    assert budget.try_consume("x", 10)
    clock.advance(95)
    assert budget.used() == 0
    assert budget.time_until_reset() == 25.0


def test_two_accounts_may_share_a_clock_and_each_may_have_its_own(clock):
    """Time is injected, per account."""
    other = ManualClock()
    budgets = [AgentTokenBudget("a", 1, 60, clock=each) for each in (clock, clock, other)]
    clock.advance(10)
    assert [budget.time_until_reset() for budget in budgets] == [50.0, 50.0, 60.0]


def test_the_end_of_time_hangs_nothing(clock):
    """A clock that cannot go further stands; accounts still answer."""
    budget = AgentTokenBudget("a", 10, 60, clock=clock)
    pool = SharedPool(capacity_tokens=10, clock=clock)
    for _ in range(3):
        clock.advance(2**62)
    budget.consume("x", 10)
    assert not budget.try_consume("x", 1)
    pool.reserve(3).commit()
    assert pool.remaining().tokens == 7


def test_the_system_clock_is_the_default():
    """None and SystemClock() are the machine's clock."""
    for budget in (AgentTokenBudget("a", 1, 60), AgentTokenBudget("a", 1, 60, clock=SystemClock())):
        assert 55 < budget.time_until_reset() <= 60


@pytest.mark.parametrize("bad", [5, "system", object(), ManualClock, SystemClock])
def test_what_is_not_a_clock_is_refused(bad):
    """By name, in every class that keeps time."""
    for make in (
        lambda: AgentTokenBudget("a", 1, 60, clock=bad),
        lambda: WorkflowQuota(1, 1, 60, clock=bad),
        lambda: WorkflowQuota.hourly(1, 1, clock=bad),
        lambda: BudgetManager(clock=bad),
        lambda: SharedPool(clock=bad),
    ):
        with pytest.raises(PolicyError, match="clock"):
            make()
