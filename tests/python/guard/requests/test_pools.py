"""Pools: how many calls at once, how much in all, and 100 threads at one guard."""

from __future__ import annotations

import asyncio
import threading

import pytest
from guard_support import budget, figures, new_guard, refused, spend

from outlay import AllowanceExceeded, Guard, LimitExceeded, ThresholdExceeded, WaitTimeout

SLOTS = {"pool": [{"name": "p", "max_concurrent": 2}]}
WAITING = {"pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "10s"}}]}


def together(count, work):
    """Run `work` in many threads that begin at once; what they returned."""
    barrier, results = threading.Barrier(count), []

    def one(number):
        barrier.wait()
        results.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == count
    return results


def test_so_many_at_once_and_a_slot_comes_back_however_the_lease_ends(clock):
    """Committed, released, dropped, expired."""
    guard = new_guard(clock, SLOTS)
    held = [guard.reserve(), guard.reserve()]
    denied = refused(guard.reserve)
    assert isinstance(denied, AllowanceExceeded)
    assert denied.retryable
    ends = [lambda lease: lease.commit(), lambda lease: lease.release(), lambda lease: lease.close(), None]
    for end in ends:
        lease = held.pop()
        if end:
            end(lease)
        del lease
        held.append(guard.reserve())
        refused(guard.reserve)
    clock.advance(901)
    guard.reserve(), guard.reserve()


def test_tools_take_no_slot(clock):
    """Unless the scope names them."""
    guard = new_guard(
        clock, {"pool": [{"name": "p", "scope": {"tool": "x"}, "max_concurrent": 1}, *SLOTS["pool"]][:1]}
    )
    held = guard.reserve(tool="x")
    refused(guard.reserve, tool="x")
    assert guard.reserve(tool="y")
    assert guard.reserve()
    held.release()


def test_a_pool_stops_before_its_limit(clock):
    """At its stop threshold."""
    guard = new_guard(
        clock, {"pool": [{"name": "p", "limit": {"tokens": 100}, "stop_threshold": {"tokens": 40}}]}
    )
    spend(guard, 60)
    denied = refused(guard.reserve, 1)
    assert isinstance(denied, ThresholdExceeded)
    assert denied.remaining == 0


def test_a_stop_threshold_is_not_for_final_answers(clock):
    """Only what a budget keeps back for them is."""
    guard = new_guard(
        clock, {"pool": [{"name": "p", "limit": {"tokens": 100}, "stop_threshold": {"tokens": 40}}]}
    )
    with guard.landing():
        refused(guard.reserve, 61)


def test_who_may_wait_gets_the_slot_in_turn(clock):
    """First in, first out."""
    guard = new_guard(clock, WAITING)
    order = []

    async def one(number):
        async with await guard.reserve_wait() as lease:
            order.append(number)
            await asyncio.sleep(0)
            lease.commit()

    async def main():
        await asyncio.gather(*[one(number) for number in range(20)])

    asyncio.run(main())
    assert order == list(range(20))
    assert guard.snapshot()[0]["limits"]["concurrent"]["reserved"] == 0


async def test_who_waits_too_long_is_told(clock):
    """After the time of the policy, or its own."""
    for seconds, timeout in ((10, None), (3, 3)):
        guard = new_guard(clock, WAITING)
        held = guard.reserve()
        task = asyncio.ensure_future(guard.reserve_wait(timeout=timeout))
        await asyncio.sleep(0)
        clock.advance(seconds - 1)
        await asyncio.sleep(0)
        assert not task.done()
        clock.advance(2)
        with pytest.raises(WaitTimeout):
            await asyncio.wait_for(task, 30)
        held.release()
        guard.reserve().release()


async def test_a_wait_that_is_cancelled_takes_nothing(clock):
    """The next in the queue gets the slot."""
    guard = new_guard(clock, WAITING)
    held = guard.reserve()
    tasks = [asyncio.ensure_future(guard.reserve_wait()) for _ in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    held.release()
    lease = await asyncio.wait_for(tasks[1], 30)
    assert lease.state == "open"
    lease.release()
    assert guard.snapshot()[0]["limits"]["concurrent"]["reserved"] == 0


def test_a_budget_that_is_spent_is_not_waited_for(clock):
    """Its refusal is final, whatever else lets requests wait."""
    guard = new_guard(clock, {**budget(limit={"calls": 1}), **WAITING})
    spend(guard)
    assert refused(guard.reserve_blocking).scope["budget"] == "b"
    with pytest.raises(LimitExceeded):
        asyncio.run(guard.reserve_wait())


@pytest.mark.parametrize("window", ["lifetime", "fixed:1h"])
async def test_a_budget_that_is_full_for_now_is_not_waited_for(clock, window):
    """Held by an open lease, or until its next window."""
    guard = new_guard(clock, {**budget(limit={"calls": 1}, window=window), "pool": [
        {"name": "p", "max_concurrent": 9, "on_limit": {"wait": "10s"}}
    ]})  # fmt: skip
    held = guard.reserve()
    if window != "lifetime":
        held.commit()
    task = asyncio.ensure_future(guard.reserve_wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ended = task.done()
    task.cancel()
    with pytest.raises(BaseException):  # noqa: B017 (cancelled, or refused)
        await task
    assert ended


def test_threads_wait_for_a_slot(clock):
    """All of them get it, one after the other."""
    guard = Guard({"pool": [{"name": "p", "max_concurrent": 3, "on_limit": {"wait": "60s"}}]})
    inside, most, lock = [], [], threading.Lock()

    def work(number):
        with guard.reserve_blocking(5) as lease:
            with lock:
                inside.append(number)
                most.append(len(inside))
            with lock:
                inside.remove(number)
            lease.commit(5)
        return number

    assert sorted(together(40, work)) == list(range(40))
    assert max(most) <= 3


@pytest.mark.parametrize("allowed", [1, 37, 99])
def test_of_100_threads_exactly_so_many_are_admitted(allowed):
    """Under many limits at once; the others change nothing."""
    policy = {
        "budget": [
            {"name": "n", "limit": {"calls": allowed, "tokens": 7 * allowed}},
            {"name": "agent", "scope": {"agent": "*"}, "limit": {"calls": 100}},
            {"name": "cost", "limit": {"usd": "1"}, "window": "rolling:24h"},
            {"name": "soft", "limit": {"calls": 3}, "mode": "soft"},
        ]
    }
    guard = Guard(policy)

    def work(number):
        try:
            guard.reserve(7, agent=f"a{number % 3}", model="m").commit(7)
        except LimitExceeded:
            return False
        return True

    guard.update({**policy, "defaults": {"on_unknown_price": "zero"}})
    assert together(100, work).count(True) == allowed
    assert figures(guard, "n", "calls") == (allowed, 0)
    assert figures(guard, "n") == (7 * allowed, 0)
    assert figures(guard, "soft", "calls") == (allowed, 0)
    # The counter of an agent that was only refused says nothing, and may be forgotten.
    agents = [counter for counter in guard.snapshot() if counter["name"] == "agent"]
    assert sum(counter["limits"]["calls"]["used"] for counter in agents) == allowed


def test_of_100_threads_that_hold_exactly_so_many_have_a_slot():
    """The 101st comes when one leaves."""
    guard = Guard({"pool": [{"name": "p", "max_concurrent": 13}]})

    def work(_number):
        try:
            return guard.reserve(1)
        except LimitExceeded:
            return None

    leases = [lease for lease in together(100, work) if lease is not None]
    assert len(leases) == 13
    leases.pop().commit(1)
    assert work(0) is not None
