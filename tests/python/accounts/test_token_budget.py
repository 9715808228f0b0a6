"""AgentTokenBudget: costs by operation, warnings, windows, soft limits."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import math

import pytest
from face_support import DAY, HOUR, MAX

from outlay import AgentTokenBudget, BudgetExceeded, UsageEstimate

COSTS = {"query": 1, "embedding": 5, "vector_search": 10, "write": 2, "transaction": 3}


@pytest.mark.parametrize(("operation", "cost"), [*COSTS.items(), ("anything else", 1)])
def test_an_operation_costs_its_price_per_token(operation, cost, clock):
    """The same in consume, try_consume, check, reserve and commit."""
    budget = AgentTokenBudget("a", 100 * cost, 60, clock=clock)
    budget.consume(operation, 10)
    assert budget.try_consume(operation, 10)
    lease = budget.reserve(operation, 10)
    assert (budget.used(), budget.reserved()) == (20 * cost, 10 * cost)
    lease.commit(15)
    assert budget.used() == 35 * cost
    budget.check(operation, 65)
    with pytest.raises(BudgetExceeded):
        budget.check(operation, 66)
    assert not budget.try_consume(operation, 66)
    with pytest.raises(BudgetExceeded) as refused:
        budget.reserve(operation, 66)
    assert refused.value.requested == 66 * cost
    assert budget.used() == 35 * cost


def test_operation_costs_replace_the_default_ones():
    """A dict of the user's, or none at all: every name costs 1."""
    budget = AgentTokenBudget("a", 100, 60, operation_costs={"plan": 7, "free": 0})
    assert budget.operation_costs == {"plan": 7, "free": 0}
    budget.consume("embedding", 1)
    budget.consume("plan", 1)
    budget.consume("free", MAX)
    assert budget.used() == 8
    assert AgentTokenBudget("a", 1, 60, operation_costs={}).operation_costs == {}


def test_the_costs_that_are_read_are_a_copy():
    """Changing the dict changes no budget; nor does changing the one that was given."""
    given = {"plan": 7}
    budget = AgentTokenBudget("a", 100, 60, operation_costs=given)
    given["plan"] = 1
    budget.operation_costs["plan"] = 0
    budget.consume("plan", 1)
    assert budget.used() == 7


def test_a_changed_cost_counts_at_once_for_every_spelling_of_the_name():
    """The cost is remembered by the identity of the name; its text decides."""
    budget = AgentTokenBudget("a", 10**6, 60)
    names = ["".join(["em", "bedding"]) for _ in range(20)]
    for name in names:
        budget.consume(name, 1)
    budget.add_operation_cost("embedding", 9)
    before = budget.used()
    for name in [*names, "embedding"]:
        budget.consume(name, 1)
    assert budget.used() - before == 21 * 9
    assert budget.operation_costs == {**COSTS, "embedding": 9}


def test_many_names_do_not_mix_up_their_costs():
    """More names than any small table holds, used in turn."""
    costs = {f"op{number}": number for number in range(40)}
    budget = AgentTokenBudget("a", 10**6, 60, operation_costs=costs)
    for turn in range(3):
        for name, cost in costs.items():
            before = budget.used()
            budget.consume(name, 2)
            assert budget.used() - before == 2 * cost
            budget.add_operation_cost(name, cost + 1)
            costs[name] = cost + 1
        assert turn or budget.operation_costs == costs


def test_names_that_are_made_and_dropped_keep_their_own_costs():
    """A new string at the address of an old one is not taken for it."""
    budget = AgentTokenBudget("a", 10**9, 60, operation_costs={f"n{i}": i for i in range(100)})
    for turn in range(2000):
        before = budget.used()
        budget.consume(f"n{turn % 100}", 1)
        assert budget.used() - before == turn % 100


def test_a_lease_keeps_the_cost_of_its_reservation():
    """The operation's cost multiplies the committed tokens as it did the estimate."""
    budget = AgentTokenBudget("a", 1000, 60)
    lease = budget.reserve("write", 10)
    budget.add_operation_cost("write", 100)
    lease.commit(11)
    assert budget.used() == 22
    assert lease.reserved == UsageEstimate(total_tokens=10)


def test_daily_and_hourly_are_periods_from_creation(clock):
    """24 h and 1 h, not calendar days; reset() anchors anew."""
    daily = AgentTokenBudget.daily("a", 10, clock=clock, warning_threshold=0.5)
    hourly = AgentTokenBudget.hourly("a", 10, clock=clock)
    assert (daily.period, hourly.period, daily.warning_threshold) == (DAY, HOUR, 0.5)
    clock.advance(1000)
    assert (daily.time_until_reset(), hourly.time_until_reset()) == (DAY - 1000, HOUR - 1000)
    hourly.reset()
    assert hourly.time_until_reset() == HOUR


@pytest.mark.parametrize("period", [90, 90.0, dt.timedelta(seconds=90)])
def test_a_period_is_seconds_or_a_timedelta(period):
    """And is reported as float seconds."""
    assert AgentTokenBudget("a", 1, period).period == 90.0


def test_the_attributes_are_what_was_given():
    """All of them, and none can be set."""
    budget = AgentTokenBudget("a", 7, 60, warning_threshold=0.25, hard_limit=False)
    seen = (budget.agent_id, budget.total_tokens, budget.period, budget.warning_threshold, budget.hard_limit)
    assert seen == ("a", 7, 60.0, 0.25, False)
    with pytest.raises(AttributeError):
        budget.total_tokens = 8


def test_equality_is_admitted_and_one_more_is_refused():
    """Used == limit is full, not over."""
    budget = AgentTokenBudget("a", 10, 60)
    budget.consume("query", 10)
    budget.consume("query", 0)
    assert (budget.remaining(), budget.usage_percentage()) == (0, 1.0)
    with pytest.raises(BudgetExceeded):
        budget.consume("query", 1)


def test_a_zero_total_is_no_nan():
    """Everything above 0 is refused; the share is 1.0."""
    budget = AgentTokenBudget("a", 0, 60)
    assert budget.usage_percentage() == 1.0
    assert not math.isnan(budget.usage_percentage())
    assert budget.is_warning()
    budget.consume("query", 0)
    assert not budget.try_consume("query", 1)
    soft = AgentTokenBudget("a", 0, 60, hard_limit=False)
    soft.consume("query", 5)
    assert (soft.used(), soft.remaining(), soft.usage_percentage()) == (5, 0, 1.0)


def test_used_plus_cost_does_not_wrap():
    """At the top of 64 bits the hard budget refuses and the soft one stays at its top."""
    hard = AgentTokenBudget("a", MAX, 60)
    hard.consume("query", MAX)
    for call in (hard.consume, hard.check, hard.reserve):
        for operation, tokens in (("query", 1), ("transaction", MAX), ("query", MAX)):
            with pytest.raises(BudgetExceeded) as refused:
                call(operation, tokens)
            assert refused.value.used == MAX
    assert (hard.used(), hard.reserved()) == (MAX, 0)
    soft = AgentTokenBudget("a", 10, 60, hard_limit=False)
    for _ in range(3):
        soft.consume("transaction", MAX)
        soft.reserve("transaction", MAX).commit(MAX)
    assert (soft.used(), soft.reserved(), soft.remaining()) == (MAX, 0, 0)
    assert not math.isinf(soft.usage_percentage())


def test_a_soft_limit_never_refuses_and_counts_above_the_total():
    """But check still reports."""
    budget = AgentTokenBudget("a", 10, 60, hard_limit=False)
    budget.consume("query", 15)
    assert budget.try_consume("query", 5)
    lease = budget.reserve("query", 5)
    assert (budget.used(), budget.reserved(), budget.remaining()) == (20, 5, 0)
    assert budget.usage_percentage() == 2.0
    with pytest.raises(BudgetExceeded):
        budget.check("query", 0)
    lease.release()


def test_in_debt_even_zero_is_refused():
    """An overrun leaves less than nothing, until the window ends."""
    budget = AgentTokenBudget("a", 10, 60)
    budget.reserve("query", 10).commit(11)
    assert (budget.used(), budget.remaining()) == (11, 0)
    assert not budget.try_consume("query", 0)


def test_a_warning_is_called_once_per_window_when_used_crosses_the_threshold(clock):
    """With the budget itself; what is reserved does not count."""
    seen = []
    budget = AgentTokenBudget("a", 100, 60, on_warning=seen.append, clock=clock)
    lease = budget.reserve("query", 90)
    assert not budget.is_warning()
    assert seen == []
    lease.commit(79)
    assert (seen, budget.is_warning(), budget.usage_percentage()) == ([], False, 0.79)
    budget.consume("query", 1)
    assert (seen, budget.is_warning()) == ([budget], True)
    budget.consume("query", 20)
    assert not budget.try_consume("query", 1)
    clock.advance(60)
    assert not budget.is_warning()
    budget.reserve("query", 80).commit()
    assert seen == [budget] * 2
    budget.reset()
    budget.consume("query", 100)
    assert seen == [budget] * 3


@pytest.mark.parametrize(("threshold", "at"), [(0.0, 1), (0.29, 29), (0.57, 57), (1.0, 100), (0.001, 1)])
def test_the_warning_comes_exactly_at_its_share(threshold, at):
    """As is_warning() says it; floats such as 0.29 x 100 notwithstanding."""
    seen = []
    budget = AgentTokenBudget("a", 100, 60, warning_threshold=threshold, on_warning=seen.append)
    for used in range(1, 101):
        budget.consume("query", 1)
        assert bool(seen) == (used >= at) == (budget.is_warning() and used > 0)


def test_a_dropped_or_expired_lease_may_warn(clock):
    """Its estimate is charged, which may cross the threshold."""
    seen = []
    budget = AgentTokenBudget("a", 100, 60, on_warning=lambda b: seen.append(b.used()), clock=clock)
    budget.reserve("query", 85)
    assert seen == [85]
    budget.reset()
    lease = budget.reserve("query", 95, ttl=5)
    clock.advance(5)
    assert budget.remaining() == 5
    assert seen == [85, 95]
    lease.commit(1)
    assert budget.used() == 1


def test_an_exception_in_on_warning_is_logged_and_never_raised(caplog):
    """The charge stands."""

    def broken(budget):
        raise RuntimeError("the callback broke")

    budget = AgentTokenBudget("a", 100, 60, on_warning=broken)
    with caplog.at_level(logging.ERROR, logger="outlay"):
        budget.consume("query", 90)
    assert budget.used() == 90
    assert "the callback broke" in caplog.text


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_during_on_warning_is_not_lost(interruption):
    """Only an Exception is logged; an interruption of the program goes on."""

    def interrupted(budget):
        raise interruption

    budget = AgentTokenBudget("a", 100, 60, on_warning=interrupted)
    with pytest.raises(interruption):
        budget.consume("query", 90)


def test_check_changes_nothing(clock):
    """Not even the time of the window."""
    budget = AgentTokenBudget("a", 10, 60, clock=clock)
    for tokens in (0, 5, 10):
        budget.check("query", tokens)
    with pytest.raises(BudgetExceeded):
        budget.check("query", 11)
    assert (budget.used(), budget.reserved(), budget.time_until_reset()) == (0, 0, 60.0)


def test_a_reset_starts_at_zero_and_old_leases_settle_in_the_old_window():
    """Law 6: nothing is refunded into the new one; only what is above the estimate is booked."""
    budget = AgentTokenBudget("a", 100, 60)
    released, under, over = (budget.reserve("query", 20) for _ in range(3))
    budget.consume("query", 40)
    budget.reset()
    assert (budget.used(), budget.reserved(), budget.remaining()) == (0, 0, 100)
    released.release()
    under.commit(1)
    assert budget.used() == 0
    over.commit(25)
    assert budget.used() == 5


def test_an_interruption_is_not_raised_from_another_budget():
    """A lease is dropped, on_warning raises: nobody is there to catch it, least of all a stranger."""

    def interrupted(budget):
        raise SystemExit

    budget = AgentTokenBudget("a", 100, 60, on_warning=interrupted)
    with contextlib.suppress(SystemExit):
        budget.reserve("query", 90)
    other = AgentTokenBudget("b", 100, 60, on_warning=print)
    other.consume("query", 1)
    assert other.used() == 1
