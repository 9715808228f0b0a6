"""Another policy while requests run: counts stay, leases end where they began."""

from __future__ import annotations

import asyncio
import threading

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import LimitExceeded, PolicyError


def test_counts_stay_where_name_scope_and_window_stay(clock):
    """Only the limit is another."""
    guard = new_guard(clock, budget(scope={"agent": "*"}, limit={"tokens": 100}, window="fixed:1h"))
    spend(guard, 80, agent="a")
    held = guard.reserve(10, agent="a")
    guard.update(budget(scope={"agent": "*"}, limit={"tokens": 95}, window="fixed:1h", mode="hard"))
    assert refused(guard.reserve, 6, agent="a").limit == 95
    held.commit(12)
    assert figures(guard, "b", agent="a") == (92, 0)
    guard.update(budget(scope={"agent": "*"}, limit={"tokens": 50}, window="fixed:1h"))
    refused(guard.reserve, 1, agent="a")
    clock.advance(3600)
    spend(guard, 50, agent="a")


@pytest.mark.parametrize(
    "other",
    [{"name": "c"}, {"scope": {"agent": "*"}}, {"window": "fixed:1h"}],
    ids=["name", "scope", "window"],
)
def test_another_rule_counts_anew(clock, other):
    """And the first finds its count when it comes back."""
    first = {"name": "b", "limit": {"tokens": 10}}
    guard = new_guard(clock, {"budget": [first]})
    spend(guard, 10, agent="a")
    guard.update({"budget": [{**first, **other}]})
    spend(guard, 10, agent="a")
    refused(guard.reserve, 1, agent="a")
    guard.update({"budget": [first]})
    refused(guard.reserve, 1, agent="a")


def test_a_lease_ends_where_it_was_reserved_though_the_rule_is_gone(clock):
    """Its slot comes back, its spend is kept."""
    policy = {**budget(limit={"tokens": 100}), "pool": [{"name": "p", "max_concurrent": 1}]}
    guard = new_guard(clock, policy)
    held = guard.reserve(60)
    guard.update({})
    spend(guard, 10**6)
    spend(guard, 10**6)
    held.commit(70)
    guard.update(policy)
    assert figures(guard, "b") == (70, 0)
    refused(guard.reserve, 31)
    guard.reserve(30)


def test_a_unit_that_is_limited_later_finds_what_was_committed(clock):
    """Where the window never ends; calls begin to count."""
    guard = new_guard(clock, budget(limit={"calls": 100}))
    spend(guard, 40)
    held = guard.reserve(5)
    guard.update(budget(limit={"calls": 100, "tokens": 50}))
    refused(guard.reserve, 11)
    spend(guard, 10)
    held.release()
    assert figures(guard, "b") == (50, 0)


def test_a_unit_that_is_no_longer_limited_is_counted_on(clock):
    """And is limited again by what was used meanwhile."""
    guard = new_guard(clock, budget(limit={"calls": 9, "tokens": 10}))
    guard.update(budget(limit={"calls": 9}))
    spend(guard, 10)
    guard.update(budget(limit={"calls": 9, "tokens": 10}))
    refused(guard.reserve, 1)


def test_a_policy_that_is_wrong_changes_nothing(clock):
    """The old one holds on."""
    guard = new_guard(clock, budget(limit={"tokens": 10}))
    for bad in ({"budgets": []}, "/nowhere/policy.toml", 5):
        with pytest.raises((PolicyError, OSError)):
            guard.update(bad)
    spend(guard, 10)
    refused(guard.reserve, 1)


def test_modes_change_at_once(clock):
    """From hard to soft and back."""
    guard = new_guard(clock, budget(limit={"tokens": 10}))
    spend(guard, 10)
    guard.update(budget(limit={"tokens": 10}, mode="shadow"))
    spend(guard, 10)
    guard.update(budget(limit={"tokens": 10}))
    assert refused(guard.reserve, 1).used == 20


async def test_who_waits_is_served_when_the_limit_rises(clock):
    """Without a look of its own."""
    policy = {"pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "1h"}}]}
    guard = new_guard(clock, policy)
    held = guard.reserve()
    task = asyncio.ensure_future(guard.reserve_wait())
    await asyncio.sleep(0)
    policy["pool"][0]["max_concurrent"] = 2
    guard.update(policy)
    (await asyncio.wait_for(task, 30)).release()
    held.release()


def test_parts_live_on_over_an_update(clock):
    """What they set aside is still theirs."""
    guard = new_guard(clock, budget(limit={"tokens": 100}))
    part = guard.allot(tokens=60)
    guard.update(budget(limit={"tokens": 70}))
    refused(guard.reserve, 11)
    spend(part, 60)
    guard.update({})
    guard.update(budget(limit={"tokens": 70}))
    part.close()
    assert figures(guard, "b") == (60, 0)


def test_updates_while_threads_reserve_lose_nothing(clock):
    """Each call is counted once, and never above the highest limit."""
    policies = [budget(limit={"calls": n}, scope={"agent": "*"}) for n in (300, 400)]
    guard = new_guard(clock, policies[0])
    admitted, stop = [], threading.Event()

    def work():
        for _ in range(300):
            try:
                guard.reserve(1, agent="a").commit(1)
            except LimitExceeded:
                continue
            admitted.append(1)

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            guard.update(policies[number % 2])
        guard.update(policies[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    changer = threading.Thread(target=change)
    for thread in [*threads, changer]:
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    changer.join(60)
    assert 300 <= len(admitted) <= 400
    assert figures(guard, "b", "calls", agent="a") == (len(admitted), 0)


def test_an_allowance_that_is_no_longer_in_the_policy_limits_nothing(clock):
    """As any other rule."""
    guard = new_guard(clock, {"allowance": [{"agent": "a", "daily_token_limit": 10}]})
    refused(guard.reserve, 11, agent="a")
    guard.update({})
    spend(guard, 11, agent="a")


def test_many_updates_with_new_names_do_not_end_the_guard(clock):
    """A policy whose rules are named after the day is updated every day."""
    guard = new_guard(clock, {})
    for number in range(300):
        guard.update(budget(f"b{number}", limit={"tokens": 5}, window="fixed:1h"))
        try:
            spend(guard, 5)
        except BaseException as error:
            raise AssertionError(number) from error
        refused(guard.reserve, 1)


def test_a_rule_that_comes_later_counts_what_a_part_spends(clock):
    """It had no chance to set anything aside."""
    rules = [{"name": "a", "limit": {"tokens": 1000}}]
    guard = new_guard(clock, {"budget": rules})
    part = guard.allot(tokens=500)
    guard.update({"budget": [*rules, {"name": "n", "limit": {"tokens": 100}}]})
    refused(part.reserve, 300)
    spend(part, 60)
    part.close()
    assert figures(guard, "n") == (60, 0)
