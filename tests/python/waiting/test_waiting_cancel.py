"""Waiting and cancellation: at every point nothing is lost, nobody is stuck, the order stays."""

from __future__ import annotations

import asyncio
import gc
import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting_support import SECONDS, ended, is_free, run, settle, started

from outlay import ManualClock, RateLimiter, SharedPool, WaitTimeout
from outlay._waiting import loop as _waiting


def cancelled(task):
    """Return whether a task was cancelled, and neither refused nor served."""
    return task.done() and task.cancelled()


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
def test_a_task_cancelled_before_or_while_it_waits_leaves_the_queue(new_loop, turns):
    """Before its first step, at it, and later."""
    pool = SharedPool(capacity_tokens=10)

    async def main():
        held = pool.reserve(6)
        task = asyncio.create_task(pool.reserve_wait(10))
        await settle(turns)
        task.cancel()
        await asyncio.wait([task])
        assert cancelled(task)
        # It was in the way of this one.
        pool.reserve(4).release()
        held.release()

    run(new_loop, main())
    assert is_free(pool)


@pytest.mark.parametrize("turns", [0, 1, 2])
@pytest.mark.parametrize("way", ["lease", "slot"])
def test_a_grant_that_was_not_received_goes_to_the_next(new_loop, clock, way, turns):
    """Cancelled in the step of the grant, or in one of those before the task resumes."""
    limiter = RateLimiter(10, threshold=1.0, clock=clock)
    limiter.record_usage(10)
    wait = {"lease": limiter.reserve_wait, "slot": limiter.acquire_slot}[way]

    async def main():
        first, second = await started(wait(10), wait(10))
        clock.advance(60)
        for _ in range(turns):
            await asyncio.sleep(0)
        if first.cancel():
            await asyncio.wait([first])
        if cancelled(first):
            await ended(second)
        else:
            assert not second.done()
            assert turns == 2, "it had no time to resume"
        second.cancel()

    run(new_loop, main())
    assert limiter.current_usage() in (0, 10)


def test_cancellation_and_grant_in_the_same_step_in_any_order(new_loop):
    """A release and a cancel by one callback: the capacity is there for the next."""
    pool = SharedPool(capacity_tokens=10)

    async def main():
        for cancel_first in (False, True):
            held = pool.reserve(10)
            first, second, third = await started(*[pool.reserve_wait(10) for _ in range(3)])
            steps = [held.release, first.cancel]
            for step in reversed(steps) if cancel_first else steps:
                step()
            (lease,) = await ended(second)
            assert cancelled(first)
            lease.release()
            (lease,) = await ended(third)
            lease.release()

    run(new_loop, main())
    assert is_free(pool)


def test_wait_for_that_times_out_at_the_moment_of_the_grant_loses_nothing(new_loop):
    """The release runs in the very iteration in which wait_for gives up, before and after it."""
    pool = SharedPool(capacity_tokens=1)
    outcomes = set()

    async def attempt(before):
        held = pool.reserve(1)
        loop = asyncio.get_running_loop()
        moment = loop.time() + 0.003
        if before:
            loop.call_at(moment, held.release)
        try:
            with await asyncio.wait_for(pool.reserve_wait(1), moment - loop.time()) as lease:
                lease.release()
            outcomes.add("served")
        except TimeoutError:
            outcomes.add("late")
        held.close()
        with await asyncio.wait_for(pool.reserve_wait(1), SECONDS) as lease:
            lease.release()

    async def main():
        for number in range(40):
            await attempt(before=number % 4 > 0)

    run(new_loop, main())
    assert "late" in outcomes
    assert is_free(pool)


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_cancellations_strands_nobody(new_loop, seed):
    """2,000 wait, half are cancelled at random while another thread releases: the others in order."""
    chance = random.Random(seed)
    pool = SharedPool(capacity_tokens=50)
    held = [pool.reserve(1) for _ in range(50)]
    order, doomed = [], {}

    async def work(number):
        lease = await pool.reserve_wait(1)
        order.append(number)
        try:
            await asyncio.sleep(0)
        finally:
            lease.release()

    async def main():
        tasks = await started(*map(work, range(2000)))
        doomed.update((number, tasks[number]) for number in chance.sample(range(2000), 1000))
        releaser = threading.Thread(target=lambda: [lease.release() for lease in held])
        releaser.start()
        for number, task in doomed.items():
            task.cancel()
            if number % 3 == 0:
                await asyncio.sleep(0)
        _, pending = await asyncio.wait(tasks, timeout=SECONDS)
        releaser.join()
        assert not pending
        survivors = [number for number, task in enumerate(tasks) if not task.cancelled()]
        assert set(range(2000)) - set(doomed) <= set(survivors)

    run(new_loop, main())
    assert order == sorted(order)
    assert set(range(2000)) - set(doomed) <= set(order)
    assert is_free(pool)


def test_a_storm_in_which_all_are_cancelled_at_once_leaves_nothing(new_loop, clock):
    """Slots and leases; the limiter is then as new."""
    limiter = RateLimiter(100, threshold=1.0, clock=clock)
    limiter.record_usage(100)

    async def main():
        waits = [limiter.acquire_slot(1) if n % 2 else limiter.reserve_wait(1) for n in range(1000)]
        tasks = await started(*waits)
        clock.advance(60)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(map(cancelled, tasks))
        assert limiter.current_usage() == 0
        limiter.reserve(100).release()

    run(new_loop, main())


def test_a_storm_of_ten_thousand_on_a_limiter_strands_nobody(new_loop, clock):
    """Half of them are cancelled at random, some after they were granted: the others in order."""
    chance = random.Random(7)
    limiter = RateLimiter(1000, threshold=1.0, clock=clock)
    limiter.record_usage(1000)
    order = []

    async def work(number):
        with await limiter.reserve_wait(1) as lease:
            order.append(number)
            lease.release()

    async def main():
        tasks = await started(*map(work, range(10_000)))
        doomed = chance.sample(tasks, 5000)
        for task in doomed[:2500]:
            task.cancel()
        clock.advance(60)
        for task in doomed[2500:]:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=SECONDS)
        assert not pending
        survivors = [number for number, task in enumerate(tasks) if not cancelled(task)]
        assert len(survivors) >= 5000
        assert order == survivors

    run(new_loop, main())
    assert limiter.current_usage() == 0
    limiter.reserve(1000).release()


def test_a_release_inside_the_cancellation_of_another_wait_is_handed_on(new_loop):
    """`except CancelledError` releases a lease; those who wait get it."""
    pool = SharedPool(capacity_tokens=2)

    async def both():
        lease = pool.reserve(1)
        try:
            await pool.reserve_wait(2)
        except asyncio.CancelledError:
            lease.release()
            raise

    async def main():
        held = pool.reserve(1)
        task, next_one = await started(both(), pool.reserve_wait(1))
        task.cancel()
        (lease,) = await ended(next_one)
        lease.release()
        held.release()

    run(new_loop, main())
    assert is_free(pool)


def test_a_coroutine_that_is_closed_or_dropped_leaves_the_queue(new_loop):
    """Driven by hand: close(), throw() and garbage; before and after the grant."""
    gc.collect()  # CPython 3.13 may still keep the loop of an earlier test
    pool = SharedPool(capacity_tokens=1)

    async def main():
        for granted in (False, True):
            for end in ("close", "drop", "throw"):
                held = pool.reserve(1)
                coroutine = pool.reserve_wait(1)
                coroutine.send(None)
                if granted:
                    held.release()
                if end == "close":
                    coroutine.close()
                elif end == "throw":
                    with pytest.raises(ZeroDivisionError):
                        coroutine.throw(ZeroDivisionError())
                del coroutine
                held.close()
                pool.reserve(1).release()
        assert len(_waiting._states) <= 1

    run(new_loop, main())
    gc.collect()
    assert is_free(pool)
    assert len(_waiting._states) == 0


def test_a_timeout_and_a_cancellation_at_one_moment_end_as_either(new_loop, clock):
    """The timeout was there first; the task is cancelled all the same; nothing is kept."""
    pool = SharedPool(capacity_tokens=1, clock=clock)

    async def main():
        held = pool.reserve(1)
        (task,) = await started(pool.reserve_wait(1, timeout=1))
        clock.advance(1)
        task.cancel()
        await asyncio.wait([task])
        assert cancelled(task)
        (task,) = await started(pool.reserve_wait(1, timeout=1))
        task.cancel()
        clock.advance(1)
        await asyncio.wait([task])
        assert cancelled(task)
        held.release()

    run(new_loop, main())
    assert is_free(pool)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 5)),
        st.tuples(st.just("wait briefly"), st.integers(1, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
        st.tuples(st.just("release"), st.integers(0, 50)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(st.just("time"), st.integers(1, 3)),
    ),
    max_size=60,
)


class Model:
    """A pool of five tokens, tasks that wait for some of them, and what is known of both."""

    def __init__(self):
        self.clock = ManualClock()
        self.pool = SharedPool(capacity_tokens=5, clock=self.clock, lease_ttl=10**6)
        self.tasks, self.leases, self.served = [], [], []

    async def wait(self, number, tokens, timeout):
        """Wait, in a task."""
        lease = await self.pool.reserve_wait(tokens, timeout=timeout)
        self.leases.append(lease)
        # In the order of the grants: who is given it at once need not wait until others resume.
        self.served.append((int(lease.id.removeprefix("lease-")), number))

    async def step(self, kind, value):
        """Do what a step of a history says."""
        if kind in ("wait", "wait briefly"):
            timeout = 2 if kind == "wait briefly" else None
            self.tasks.append(asyncio.create_task(self.wait(len(self.tasks), value, timeout)))
        elif kind == "cancel" and self.tasks:
            self.tasks[value % len(self.tasks)].cancel()
        elif kind == "release" and self.leases:
            self.leases.pop(value % len(self.leases)).release()
        elif kind == "turn":
            await settle(value)
        elif kind == "time":
            self.clock.advance(value)
        assert self.pool.reserved().total_tokens <= 5

    async def finish(self):
        """Release until all were served, and look what is left."""
        await settle()
        while not all(task.done() for task in self.tasks):
            assert self.leases, "somebody waits although all is free"
            self.leases.pop().release()
            await settle()
        for lease in self.leases:
            lease.release()
        order = [number for _, number in sorted(self.served)]
        assert order == sorted(order)
        assert is_free(self.pool)
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        kinds = {type(result) for result in results}
        assert kinds <= {type(None), asyncio.CancelledError, WaitTimeout}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_history_of_waits_cancellations_and_releases_is_served_in_order(new_loop, steps):
    """Never above the capacity, nobody stuck, nothing kept."""

    async def main():
        model = Model()
        for kind, value in steps:
            await model.step(kind, value)
        await model.finish()

    run(new_loop, main())
