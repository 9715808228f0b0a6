"""Defects of other systems of this kind, each held here for the guard and its allotments.

What other tests hold already is not repeated: overruns, holds and stop thresholds of pools and leases
(test_shared_pool, test_lease), exact dollars (test_amounts), fair queues (test_waiting), fixed and sliding
windows of the other classes (test_token_budget, test_limiter_time), threads (test_threads), forks
(test_fork), refusals as JSON (test_errors), prices and cache tokens of responses (test_responses,
test_genai_prices), learnt estimates (test_estimates), cancelled calls and streams left early (test_audit_run,
conformance, openai), counts by the outcome of a job and repositories (the folder allowances). What users ask
for beyond it is in test_peers_asked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

import outlay
from outlay import BudgetExceeded, Guard, LimitExceeded, ManualClock, PolicyError, Usage, UsageEstimate, usd
from outlay.openai import wrap
from outlay.testing import ProviderServer

PRICES = {"m": {"input": "10", "output": "10"}}


def guard_of(limit, *, clock=None, **rule):
    """Return a guard of one rule."""
    return Guard({"budget": [{"name": "b", "limit": limit, **rule}], "prices": PRICES}, clock=clock)


def figures(guard, unit="tokens", name="b"):
    """Return what is used and reserved of a rule, over all of its counters."""
    told = [c["limits"][unit] for c in guard.snapshot() if c["name"] == name and unit in c["limits"]]
    return sum(one["used"] for one in told), sum(one["reserved"] for one in told)


def passes(reserve, *arguments, **labels):
    """Say whether a request is admitted, and keep its lease open."""
    try:
        return reserve(*arguments, **labels)
    except (LimitExceeded, outlay.LeaseExpired):
        return None


def test_spend_that_crosses_the_cap_is_booked():
    """Elsewhere the commit above the cap raises, and 10,000 tokens are forgotten."""
    guard = guard_of({"tokens": 1_000, "usd": "1"})
    guard.reserve(UsageEstimate(input_tokens=100), model="m").commit(Usage(input_tokens=10_000))
    assert figures(guard) == (10_000, 0)
    assert figures(guard, "cost_micros_usd") == (usd("0.10"), 0)
    with pytest.raises(BudgetExceeded) as refused:
        guard.reserve(1, model="m")
    assert (refused.value.used, refused.value.remaining) == (10_000, 0)


def test_an_overrun_of_a_part_is_its_parents_too():
    """Elsewhere what a child used above its part is counted nowhere."""
    guard = guard_of({"tokens": 1_000})
    with guard.allot(tokens=100) as part:
        part.reserve(100).commit(700)
    assert figures(guard) == (700, 0)


def test_children_cannot_spend_more_than_their_parent():
    """Elsewhere each child is capped by what its parent had: 10 children of $1 spent $10."""
    guard = guard_of({"usd": "1"}, scope={"agent": "*"})
    parts = [passes(guard.allot, cost_micros_usd=usd("0.30"), agent="a") for _ in range(10)]
    children = [part for part in parts if part]
    assert len(children) == 3
    for child in children:
        while lease := passes(child.reserve, UsageEstimate(input_tokens=1_000), model="m"):
            lease.commit()
        child.close()
    assert figures(guard, "cost_micros_usd") == (usd("0.90"), 0)


def test_children_that_race_for_their_parents_rest_get_it_once():
    guard = guard_of({"tokens": 1_000}, scope={"agent": "*"})
    start = threading.Barrier(16)

    def carve(_):
        start.wait()
        return passes(guard.allot, tokens=100, agent="a")

    with ThreadPoolExecutor(16) as threads:
        parts = [part for part in threads.map(carve, range(16)) if part]
    assert len(parts) == 10
    assert figures(guard) == (0, 1_000)


def test_what_a_child_leaves_comes_back_to_its_parent():
    guard = guard_of({"tokens": 1_000, "calls": 10})
    child = guard.allot(tokens=600, calls=4)
    grandchild = child.allot(tokens=500, calls=2)
    assert passes(child.reserve, 200) is None
    grandchild.reserve(300).commit(120)
    grandchild.close()
    assert child.remaining() == {"tokens": 480, "calls": 3, "cost_micros_usd": None}
    child.close()
    assert figures(guard) == (120, 0)
    assert figures(guard, "calls") == (1, 0)


def test_a_refused_ancestor_leaves_no_hold():
    """Elsewhere each refusal of the organisation kept the hold of the team: after 5 it had nothing left."""
    rules = [
        {"name": "team", "scope": {"team": "*"}, "limit": {"tokens": 500}},
        {"name": "organisation", "limit": {"tokens": 90}},
    ]
    guard = Guard({"budget": rules})
    for _ in range(5):
        with pytest.raises(BudgetExceeded) as refused:
            guard.reserve(100, team="t")
        assert refused.value.scope["budget"] == "organisation"
    assert figures(guard, name="team") == figures(guard, name="organisation") == (0, 0)
    assert guard.reserve(90, team="t").commit(90) is None


def test_a_refused_part_of_a_part_leaves_no_hold():
    guard = guard_of({"tokens": 500})
    child = guard.allot(tokens=100)
    assert [passes(child.allot, tokens=200) for _ in range(5)] == [None] * 5
    assert (child.remaining()["tokens"], figures(guard)) == (100, (0, 100))


def test_a_hold_is_released_by_what_was_reserved():
    """Elsewhere a hold of $0.10 was lowered by the $0.01 that was used: 10 calls left $0.90 stuck."""
    guard = guard_of({"usd": "1"})
    for _ in range(10):
        guard.reserve(UsageEstimate(cost_micros_usd=usd("0.10"))).commit(Usage(cost_micros_usd=usd("0.01")))
    assert figures(guard, "cost_micros_usd") == (usd("0.10"), 0)


def test_failed_calls_lock_nothing():
    """Elsewhere 4 failed calls locked a dollar."""
    guard = guard_of({"usd": "1"})

    def fail():
        with guard.reserve(UsageEstimate(cost_micros_usd=usd("0.25"))):
            raise ConnectionError

    for _ in range(4):
        with pytest.raises(ConnectionError):
            fail()
    assert figures(guard, "cost_micros_usd") == (0, 0)


def test_three_times_ten_cents_fit_thirty():
    """Elsewhere 0.1 + 0.1 + 0.1 > 0.3, and the third call is refused."""
    guard = guard_of({"usd": "0.30"})
    for _ in range(3):
        guard.reserve(UsageEstimate(cost_micros_usd=usd("0.10"))).commit()
    assert passes(guard.reserve, UsageEstimate(cost_micros_usd=1)) is None


def test_an_unknown_model_is_not_free():
    """Elsewhere a model that nobody priced costs $0, silently."""
    guard = guard_of({"usd": "1"})
    for labels in ({"model": "nobody-priced-it"}, {}):
        with pytest.raises(PolicyError, match="price"):
            guard.reserve(100, **labels)
    with ProviderServer([]) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="none"), guard)
        with pytest.raises(PolicyError, match="nobody-priced-it"):
            client.responses.create(model="nobody-priced-it", input="Hello")
        assert server.calls == 0
    assert figures(guard, "cost_micros_usd") == (0, 0)


def test_an_unknown_model_costs_what_the_policy_says():
    limit = {"name": "b", "limit": {"usd": "1"}}
    fallback = {"on_unknown_price": "fallback", "fallback_price": PRICES["m"]}
    for defaults, cost in (({"on_unknown_price": "zero"}, 0), (fallback, 1_000)):
        guard = Guard({"budget": [limit], "defaults": defaults})
        guard.reserve(UsageEstimate(input_tokens=100), model="nobody-priced-it").commit()
        assert figures(guard, "cost_micros_usd") == (cost, 0)


def test_a_commit_without_a_cost_is_priced():
    """Elsewhere a run that is priced in part is held to a part of its cost."""
    guard = guard_of({"usd": "1"})
    guard.reserve(UsageEstimate(input_tokens=10), model="m").commit(
        Usage(input_tokens=900, output_tokens=100)
    )
    assert figures(guard, "cost_micros_usd") == (10_000, 0)


@pytest.mark.parametrize("window", ["lifetime", "fixed:1h", "rolling:1h", "calendar:day", "run"])
def test_editing_a_rule_keeps_its_usage(window):
    """Elsewhere a changed rule begins at zero: whoever may edit has no limit."""

    def policy(tokens):
        return {"budget": [{"name": "b", "limit": {"tokens": tokens}, "window": window}]}

    guard = Guard(policy(100), clock=ManualClock())
    guard.reserve(80, run="r").commit(80)
    held = guard.reserve(20, run="r")
    guard.update(policy(90))
    assert passes(guard.reserve, 1, run="r") is None
    guard.update(policy(110))
    assert passes(guard.reserve, 11, run="r") is None
    guard.reserve(10, run="r").commit(10)
    held.commit(20)
    assert figures(guard) == (110, 0)


async def test_a_large_waiter_is_not_overtaken():
    """Elsewhere waiters are a heap by size: one of 8 that came first ran after twelve of 1."""
    guard = Guard({"pool": [{"name": "b", "limit": {"tokens": 10}, "on_limit": {"wait": "1h"}}]})
    first, order = guard.reserve(10), []

    async def ask(tokens):
        lease = await guard.reserve_wait(tokens)
        order.append(tokens)
        lease.release()

    tasks = [asyncio.create_task(ask(tokens)) for tokens in (8, *[1] * 12)]
    await asyncio.sleep(0)
    assert passes(guard.reserve, 1) is None
    first.release()
    await asyncio.gather(*tasks)
    assert order == [8, *[1] * 12]


def test_a_rolling_window_is_no_fixed_window():
    """Elsewhere a "rolling" window is a fixed one from the first use, or a bucket: a burst passes twice."""
    clock = ManualClock()
    guard = guard_of({"tokens": 100}, window="rolling:1h", clock=clock)
    clock.advance(3_590)
    guard.reserve(100).commit(100)
    clock.advance(20)
    assert passes(guard.reserve, 1) is None
    clock.advance(3_570)
    assert passes(guard.reserve, 1) is None
    clock.advance(80)
    assert passes(guard.reserve, 100)


def test_concurrent_runs_cannot_each_pass_the_check():
    """Elsewhere a check looks and holds nothing, so that all who look at once pass."""
    guard = guard_of({"usd": "0.10", "calls": 50})
    start = threading.Barrier(32)

    def run(number):
        start.wait()
        lease = passes(guard.reserve, UsageEstimate(input_tokens=1_000), model="m", run=str(number))
        return lease and lease.commit(Usage(input_tokens=1_000)) is None

    with ThreadPoolExecutor(32) as threads:
        assert sum(bool(passed) for passed in threads.map(run, range(32))) == 10
    assert figures(guard, "cost_micros_usd") == (usd("0.10"), 0)


def test_a_crashed_run_holds_nothing_for_ever():
    """Elsewhere an unresolved hold stays until somebody recovers it by hand."""
    clock = ManualClock()
    pool = {"name": "slots", "max_concurrent": 1}
    budget = {"name": "b", "limit": {"tokens": 100}}
    guard = Guard({"pool": [pool], "budget": [budget], "store": {"lease_ttl": "10m"}}, clock=clock)
    crashed = guard.reserve(60)
    assert passes(guard.reserve, 10) is None
    clock.advance(600)
    assert figures(guard, "concurrent", "slots") == (0, 0)
    assert figures(guard) == (60, 0)
    crashed.commit(5)
    assert figures(guard) == (5, 0)


def test_a_part_that_nobody_closes_runs_out():
    clock = ManualClock()
    guard = guard_of({"tokens": 100}, clock=clock)
    part = guard.allot(tokens=100, ttl=60)
    part.reserve(30).commit(30)
    clock.advance(61)
    with pytest.raises(outlay.LeaseExpired):
        part.reserve(1)
    del part
    assert figures(guard) == (30, 0)


def test_what_is_misspelt_is_refused_and_not_ignored():
    """Elsewhere an unknown field is dropped, and "1d" is another day than "daily"."""
    rule = {"name": "b", "limit": {"tokens": 1}}
    for bad in ({"limits": {}}, {"window": "daily"}, {"window": "calendar:1d"}, {"limit": {"usd": 0.3}}):
        with pytest.raises(PolicyError, match=r"budget\[0\]"):
            Guard({"budget": [{**rule, **bad}]})
    with pytest.raises(PolicyError, match="buget"):
        Guard({"buget": [rule]})


def test_a_day_begins_at_midnight_and_not_at_the_first_use():
    clock = ManualClock()
    clock.set_time(dt.datetime(2026, 11, 22, 23, 59, tzinfo=dt.UTC))
    guard = guard_of({"tokens": 100}, window="calendar:day", clock=clock)
    guard.reserve(100).commit(100)
    clock.advance(59)
    assert passes(guard.reserve, 1) is None
    clock.advance(1)
    assert passes(guard.reserve, 100)
