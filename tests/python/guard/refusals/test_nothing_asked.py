"""In a guard, nothing is not asked of a budget in debt: a free model stays usable."""

from __future__ import annotations

import pytest
from guard_support import refused, spend

from outlay import AgentTokenBudget, Guard, ManualClock, SharedPool, Usage, UsageEstimate
from outlay._core import reserve_together

PRICES = {"paid": {"input": "10", "output": "10"}, "local": {"input": "0", "output": "0"}}
BUDGET = {"name": "user", "scope": {"user": "*"}, "limit": {"usd": "1.00"}}


def in_debt(table="budget", **more):
    guard = Guard({table: [{**BUDGET, **more}], "prices": PRICES}, clock=ManualClock())
    guard.reserve(1_000, user="a", model="paid").commit(Usage(input_tokens=100_001))
    return guard


@pytest.mark.parametrize("table", ["budget", "pool"])
@pytest.mark.parametrize("window", ["lifetime", "calendar:day"])
def test_a_free_model_stays_usable_on_every_way(table, window):
    guard = in_debt(table, window=window)
    labels = {"user": "a", "model": "local"}
    guard.reserve(1_000, **labels).commit()
    guard.reserve_blocking(1_000, timeout=0, **labels).commit()
    guard.check(1_000, **labels)
    guard.allot(tokens=1_000, **labels).reserve(10, model="local").commit()
    reserve_together([guard], UsageEstimate(input_tokens=1_000), labels=labels).commit()
    for ask in (guard.reserve, guard.check):
        assert refused(ask, 1_000, user="a", model="paid").kind == "cost"
    assert guard.advice(**labels)["remaining"]["cost_micros_usd"] == 0


def test_a_part_in_debt_is_not_asked_for_nothing_either():
    guard = Guard({"budget": [{"name": "b", "limit": {"usd": "9"}}], "prices": PRICES})
    part = guard.allot(cost_micros_usd=1_000_000)
    part.reserve(1_000, model="paid").commit(Usage(input_tokens=200_000))
    refused(part.reserve, 1_000, model="paid")
    part.reserve(1_000, model="local").commit()


def test_an_allowance_of_a_guard_is_not_asked_for_nothing():
    quota = {"model": "local", "cost_ceiling_usd": "1"}
    guard = Guard({"model_quota": [quota], "prices": PRICES})
    guard.reserve(UsageEstimate(cost_micros_usd=1), model="local").commit(Usage(cost_micros_usd=2_000_000))
    guard.reserve(1_000, model="local").commit()
    refused(guard.reserve, UsageEstimate(cost_micros_usd=1), model="local")


def test_calls_slots_and_rates_are_asked_as_ever():
    guard = Guard({"budget": [{"name": "b", "limit": {"calls": 1}}]})
    spend(guard)
    assert refused(guard.reserve).kind == "call"
    slots = Guard({"pool": [{"name": "p", "max_concurrent": 1}]})
    lease = slots.reserve()
    assert refused(slots.reserve).kind == "concurrency"
    lease.release()
    rate = Guard({"limiter": [{"name": "l", "tokens_per_minute": 10}]}, clock=ManualClock())
    rate.reserve(10).commit(11)
    assert refused(rate.reserve, 0).kind == "rate"


def test_what_it_uses_after_all_is_booked():
    guard = in_debt()
    lease = guard.reserve(1_000, user="a", model="local")
    lease.commit(Usage(input_tokens=5, cost_micros_usd=7))
    used = guard.explain(user="a")[0]["limits"]["cost_micros_usd"]["used"]
    assert used == 1_000_010 + 7


def test_single_budgets_refuse_even_nothing_in_debt():
    agent = AgentTokenBudget.hourly("a-1", 10, clock=ManualClock())
    pool = SharedPool(capacity_tokens=10, clock=ManualClock())
    for reserve in (lambda n: agent.reserve("query", n), pool.reserve):
        reserve(1).commit(11)
        refused(reserve, 0)
