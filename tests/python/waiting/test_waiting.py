"""Waiting in asyncio: first in, first out, at the exact moment, and refused where it is hopeless."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from datetime import timedelta

import pytest
from face_support import checked_message, refusal_of
from waiting_support import SECONDS, ended, is_free, live_timers, run, settle, started

from outlay import (
    InvalidAmount,
    LimitExceeded,
    ManualClock,
    PolicyError,
    RateLimiter,
    RateLimitExceeded,
    RequestBudget,
    RequestBudgetExceeded,
    SharedPool,
    ThresholdExceeded,
    UsageEstimate,
    WaitTimeout,
)
from outlay._waiting import loop as _waiting

NANOSECOND = 1e-9


def full_limiter(clock, limit=100, **options):
    """Return a limiter whose window is full; it frees after 60 seconds."""
    limiter = RateLimiter(limit, threshold=1.0, clock=clock, **options)
    limiter.record_usage(limit)
    return limiter


def waits(clock):
    """Return each way to wait, on a full account, with what frees the account."""
    limiter, pool = full_limiter(clock), SharedPool(capacity_tokens=100, clock=clock)
    held = pool.reserve(100)
    return {
        "slot": (lambda **how: limiter.acquire_slot(1, **how), lambda: clock.advance(60)),
        "limiter": (lambda **how: limiter.reserve_wait(1, **how), lambda: clock.advance(60)),
        "pool": (lambda **how: pool.reserve_wait(1, **how), held.release),
    }


WAYS = ["slot", "limiter", "pool"]


def test_a_thousand_tasks_are_served_first_in_first_out(new_loop):
    """Each releases what it was given: the next in line has it."""
    pool = SharedPool(capacity_tokens=7)
    order = []

    async def work(number):
        with await pool.reserve_wait(1 + number % 7) as lease:
            order.append(number)
            await asyncio.sleep(0)
            lease.release()

    async def main():
        held = pool.reserve(7)
        tasks = await started(*map(work, range(1000)))
        assert order == []
        held.release()
        await ended(*tasks)

    run(new_loop, main())
    assert order == list(range(1000))
    assert is_free(pool)


def test_ten_thousand_slots_are_given_in_the_order_of_asking(new_loop, clock):
    """By the passing of time: as many in a window as fit."""
    limiter = full_limiter(clock, 1000)
    order = []

    async def work(number):
        await limiter.acquire_slot(1)
        limiter.record_usage(1)
        order.append(number)

    async def main():
        tasks = await started(*map(work, range(10_000)))
        for window in range(10):
            assert len(order) == 1000 * window
            clock.advance(60)
            await settle()
        await ended(*tasks)

    run(new_loop, main())
    assert order == list(range(10_000))


@pytest.mark.parametrize("clock_of", [ManualClock, lambda: None])
def test_where_there_is_room_nothing_suspends(clock_of):
    """Driven by hand, without any loop: no timer, no state of a loop."""
    clock = clock_of()
    limiter, pool = RateLimiter(100, clock=clock), SharedPool(capacity_tokens=100, clock=clock)
    timers = live_timers()
    for coroutine in (limiter.acquire_slot(), limiter.acquire_slot(5, timeout=1)):
        with pytest.raises(StopIteration) as done:
            coroutine.send(None)
        assert done.value.value is None
    for coroutine in (limiter.reserve_wait(5), pool.reserve_wait(5, timeout=0), pool.reserve_wait(5, ttl=1)):
        with pytest.raises(StopIteration) as done:
            coroutine.send(None)
        assert done.value.value.state == "open"
    assert (live_timers(), len(_waiting._states)) == (timers, 0)


def test_the_methods_are_ordinary_coroutine_functions(clock):
    """What wraps, inspects or documents them sees nothing unusual."""
    for owner, name in [
        (RateLimiter, "acquire_slot"),
        (RateLimiter, "reserve_wait"),
        (SharedPool, "reserve_wait"),
    ]:
        method = getattr(owner, name)
        assert inspect.iscoroutinefunction(method)
        assert method.__qualname__ == f"{owner.__name__}.{name}"


@pytest.mark.parametrize("way", WAYS)
def test_the_tools_of_asyncio_work_with_all_waits(new_loop, clock, way):
    """create_task, gather, wait_for, timeout, shield, TaskGroup."""

    async def main():
        wait, free = waits(clock)[way]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(), 0.001)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await wait()
        (shielded,) = await started(wait())
        outer = asyncio.ensure_future(asyncio.shield(shielded))
        gathered = asyncio.gather(wait(), wait(), asyncio.wait_for(wait(), SECONDS))
        async with asyncio.TaskGroup() as group:
            in_group = [group.create_task(wait()) for _ in range(3)]
            await settle()
            free()
        await asyncio.wait_for(asyncio.gather(gathered, outer, *in_group), SECONDS)

    run(new_loop, main())


@pytest.mark.parametrize("method", ["acquire_slot", "reserve_wait"])
def test_a_limiter_serves_at_the_nanosecond_at_which_it_frees(new_loop, clock, method):
    """One before: waiting. At it: served."""
    limiter = full_limiter(clock)

    async def main():
        (task,) = await started(getattr(limiter, method)(1))
        clock.advance(limiter.retry_after(0) - NANOSECOND)
        await settle()
        assert not task.done()
        assert limiter.retry_after(1) > 0
        clock.advance(NANOSECOND)
        await settle(3)
        assert task.done()
        await task

    run(new_loop, main())


def test_a_pool_serves_at_the_moment_at_which_a_lease_runs_out(new_loop, clock):
    """unsettled="release": the capacity comes back by time alone."""
    pool = SharedPool(capacity_tokens=10, clock=clock, unsettled="release", lease_ttl=30)
    held = pool.reserve(10)

    async def main():
        (task,) = await started(pool.reserve_wait(10))
        clock.advance(30 - NANOSECOND)
        await settle()
        assert not task.done()
        clock.advance(NANOSECOND)
        assert (await ended(task))[0].state == "open"

    run(new_loop, main())
    assert held.state == "expired"


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_ends_at_its_nanosecond_and_says_what_refused(new_loop, clock, way):
    """WaitTimeout is a LimitExceeded and a TimeoutError, with a lawful message; nothing is kept."""

    async def main():
        wait, _ = waits(clock)[way]
        (task,) = await started(wait(timeout=timedelta(seconds=5)))
        clock.advance(5 - NANOSECOND)
        await settle()
        assert not task.done()
        clock.advance(NANOSECOND)
        await settle()
        with pytest.raises(WaitTimeout) as refused:
            await task
        assert isinstance(refused.value, TimeoutError)
        assert isinstance(refused.value, LimitExceeded)
        payload = checked_message(refused.value)
        assert "5 s" in payload["message"]
        assert refused.value.requested == 1
        assert pickle.loads(pickle.dumps(refused.value)).payload == payload

    run(new_loop, main())


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_of_zero_does_not_wait(clock, way):
    """It is refused at once, driven by hand; the account is as it was."""

    async def main():
        wait, free = waits(clock)[way]
        coroutine = wait(timeout=0)
        with pytest.raises(WaitTimeout):
            coroutine.send(None)
        free()
        await asyncio.wait_for(wait(timeout=0), SECONDS)

    asyncio.run(main())


def test_time_is_served_before_a_timeout_at_the_same_moment(new_loop, clock):
    """What frees at the moment at which the time is over goes to the one who waits."""
    limiter = full_limiter(clock)

    async def main():
        (task,) = await started(limiter.reserve_wait(1, timeout=60))
        clock.advance(100)
        await settle()
        assert (await ended(task))[0].state == "open"

    run(new_loop, main())


def test_what_can_never_pass_is_refused_at_once(clock):
    """Not WaitTimeout: waiting is no cure. Driven by hand."""
    pool = SharedPool(capacity_tokens=100, capacity_cost_micros_usd=5, stop_threshold_tokens=10, clock=clock)
    spent = SharedPool(capacity_tokens=100, clock=clock)
    spent.reserve(100).commit()
    held = pool.reserve(90)
    hopeless = [
        (RateLimitExceeded, full_limiter(clock).acquire_slot(101)),
        (RateLimitExceeded, full_limiter(clock).reserve_wait(101, timeout=1)),
        (RateLimitExceeded, RateLimiter(0).acquire_slot()),
        (ThresholdExceeded, pool.reserve_wait(91)),
        (ThresholdExceeded, pool.reserve_wait(UsageEstimate(input_tokens=1, cost_micros_usd=6))),
        (ThresholdExceeded, spent.reserve_wait(1)),
        (RequestBudgetExceeded, pool.reserve_wait(50, RequestBudget(tokens=49))),
        (InvalidAmount, pool.reserve_wait(-1)),
        (PolicyError, pool.reserve_wait(1, timeout=-1)),
        (PolicyError, full_limiter(clock).acquire_slot(1, timeout=float("nan"))),
        (PolicyError, full_limiter(clock).reserve_wait(1, ttl=0)),
    ]

    async def main():
        for kind, coroutine in hopeless:
            with pytest.raises(kind) as refused:
                coroutine.send(None)
            assert not isinstance(refused.value, WaitTimeout)

    asyncio.run(main())
    held.release()
    pool.reserve(90).release()


def test_who_waits_for_what_is_used_up_meanwhile_is_refused(new_loop):
    """The lease that was hoped for is committed; those who still fit are served."""
    pool = SharedPool(capacity_tokens=100)

    async def main():
        held = pool.reserve(100)
        large, small, never = await started(*map(pool.reserve_wait, [50, 20, 40]))
        held.commit(80)
        assert (await ended(small))[0].state == "open"
        for task in (large, never):
            with pytest.raises(ThresholdExceeded) as refused:
                await task
            checked_message(refused.value)
            assert not isinstance(refused.value, WaitTimeout)

    run(new_loop, main())


def test_calls_that_do_not_wait_never_overtake(new_loop, clock):
    """Not by reserve, not by try_acquire, not by a wait for less: until the queue is empty."""
    limiter, pool = RateLimiter(100, threshold=1.0, clock=clock), SharedPool(capacity_tokens=100)
    limiter.record_usage(60)

    async def main():
        held = pool.reserve(60)
        first, large = await started(limiter.acquire_slot(50), pool.reserve_wait(50))
        assert not limiter.try_acquire(1)
        assert isinstance(refusal_of(lambda: limiter.reserve(1)), RateLimitExceeded)
        assert isinstance(refusal_of(lambda: pool.reserve(1)), ThresholdExceeded)
        assert isinstance(refusal_of(lambda: pool.reserve_blocking(1, timeout=0)), WaitTimeout)
        small = await started(limiter.reserve_wait(1), pool.reserve_wait(1))
        assert not any(task.done() for task in small)
        clock.advance(60)
        held.release()
        await ended(first, large, *small)
        pool.reserve(1).release()
        assert limiter.try_acquire(1)

    run(new_loop, main())


def test_a_large_waiter_is_not_starved_by_small_ones(new_loop):
    """Small ones come all the time; it is served as soon as the older leases have ended."""
    pool = SharedPool(capacity_tokens=10)
    served = []

    async def small():
        for number in range(50):
            with await pool.reserve_wait(1) as lease:
                await asyncio.sleep(0)
                lease.release()
            served.append(number)

    async def main():
        crowd = await started(*[small() for _ in range(20)])
        before = len(served)
        with await asyncio.wait_for(pool.reserve_wait(10), SECONDS) as lease:
            # The ten that held a lease have ended it, and the ten that came before.
            assert len(served) - before <= 20
            lease.release()
        await ended(*crowd)

    run(new_loop, main())
    assert is_free(pool)


@pytest.mark.parametrize("way", ["limiter", "slot"])
def test_the_system_clock_serves_by_itself(new_loop, way):
    """Short windows: nobody moves anything."""
    limiter = RateLimiter.per(10, 0.05, threshold=1.0)
    order = []

    async def work(number):
        if way == "slot":
            await limiter.acquire_slot(1)
            limiter.record_usage(1)
        else:
            (await limiter.reserve_wait(1)).commit()
        order.append(number)

    async def main():
        await ended(*await started(*map(work, range(50))))

    run(new_loop, main())
    assert order == list(range(50))
