"""Waiting in threads, beside loops; and releases from wherever Python code runs."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time

import pytest
from face_support import checked_message, in_threads
from waiting_support import (
    SECONDS,
    Queue,
    Worker,
    ended,
    is_free,
    others_fall_asleep,
    run,
    settle,
    started,
)

from outlay import (
    AgentTokenBudget,
    RateLimiter,
    RateLimitExceeded,
    SharedPool,
    ThresholdExceeded,
    WaitTimeout,
)


def test_threads_are_served_in_the_order_of_asking():
    """One after the other queues; each releases what it was given."""
    queue = Queue()
    workers = [queue.worker(number) for number in range(20)]
    queue.held.release()
    assert [worker.ended() for worker in workers] == [None] * 20
    assert queue.order == list(range(20))
    queue.limiter.reserve(10).release()


def test_a_hundred_threads_share_a_pool_of_three():
    """Never more than three at a time, and all come to their turn."""
    pool = SharedPool(capacity_tokens=3)
    inside, most = [], []

    def work(number):
        for _ in range(5):
            lease = pool.reserve_blocking(1, timeout=30)
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
            lease.release()

    in_threads(100, work)
    assert len(most) == 500
    assert max(most) <= 3
    assert is_free(pool)


def test_a_thread_that_waits_lets_others_run():
    """It does not hold the GIL: this thread counts meanwhile, and frees it."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    worker = Worker(lambda: pool.reserve_blocking(1, timeout=SECONDS))
    assert sum(range(100_000)) == 4_999_950_000
    assert worker.is_alive()
    held.release()
    worker.ended().release()
    assert is_free(pool)


@pytest.mark.parametrize("clock_of", ["manual", "system"])
def test_threads_wake_when_a_window_passes(clock, clock_of):
    """The first of them watches the clock for all; where the clock is moved by hand, who moves it."""
    options = {"threshold": 1.0} | ({"clock": clock} if clock_of == "manual" else {})
    limiter = RateLimiter.per(10, 0.1, **options)
    limiter.record_usage(10)
    workers = [Worker(lambda: limiter.acquire_slot_blocking(1)) for _ in range(10)]
    others_fall_asleep()
    assert all(worker.is_alive() for worker in workers) or clock_of == "system"
    clock.advance(1)
    assert [worker.ended() for worker in workers] == [None] * 10


def test_the_next_thread_watches_when_the_first_gives_up():
    """The first leaves by its timeout; those behind it are served on time all the same."""
    limiter = RateLimiter.per(10, 0.5, threshold=1.0)
    limiter.record_usage(10)
    first = Worker(lambda: limiter.reserve_blocking(10, timeout=0.1))
    others_fall_asleep()
    second = Worker(lambda: limiter.reserve_blocking(10, timeout=SECONDS))
    assert isinstance(first.ended(), WaitTimeout)
    second.ended().release()
    assert limiter.current_usage() == 0


@pytest.mark.parametrize("where", ["main thread", "thread"])
def test_blocking_waits_are_refused_as_those_of_asyncio_are(where):
    """Time over, hopeless at once, hopeless meanwhile."""
    limiter, pool = RateLimiter(10, threshold=1.0), SharedPool(capacity_tokens=10)
    limiter.record_usage(10)
    held = pool.reserve(10)

    def call(work):
        if where == "thread":
            return Worker(work).ended()
        try:
            return work()
        except Exception as error:
            return error

    for timeout in (0, 0.05):
        for wait in (limiter.acquire_slot_blocking, limiter.reserve_blocking, pool.reserve_blocking):
            began = time.monotonic()
            refused = call(lambda wait=wait, timeout=timeout: wait(1, timeout=timeout))
            assert isinstance(refused, WaitTimeout)
            checked_message(refused)
            assert timeout <= time.monotonic() - began < timeout + 1
    assert isinstance(call(lambda: limiter.acquire_slot_blocking(11)), RateLimitExceeded)
    assert isinstance(call(lambda: limiter.reserve_blocking(11)), RateLimitExceeded)
    assert isinstance(call(lambda: pool.reserve_blocking(11)), ThresholdExceeded)
    worker = Worker(held.commit) if where == "main thread" else Worker(lambda: pool.reserve_blocking(1))
    if where == "main thread":
        assert isinstance(call(lambda: pool.reserve_blocking(1)), ThresholdExceeded)
    else:
        others_fall_asleep()
        held.commit()
        assert isinstance(worker.ended(), ThresholdExceeded)


def test_threads_and_loops_wait_in_one_queue(new_loop):
    """Task, thread, task, thread: served in that order."""
    queue = Queue()

    async def main():
        tasks, workers = [], []
        for number in range(0, 20, 2):
            tasks += await started(queue.wait(number))
            workers.append(queue.worker(number + 1))
        queue.held.release()
        await ended(*tasks)
        assert [worker.ended() for worker in workers] == [None] * 10

    run(new_loop, main())
    assert queue.order == list(range(20))
    queue.limiter.reserve(10).release()


def by_another_thread(lease):
    threading.Thread(target=lease.release).start()


def by_a_thread_that_exits(lease):
    class Last:
        def __init__(self, lease):
            self.lease = lease

        def __del__(self):
            self.lease.release()

    def work():
        local.last = Last(lease)

    local = threading.local()
    threading.Thread(target=work).start()


def by_a_signal(lease):
    signal.signal(signal.SIGUSR1, lambda number, frame: lease.release())
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1)).start()


def by_an_alarm(lease):
    signal.signal(signal.SIGALRM, lambda number, frame: lease.release())
    signal.setitimer(signal.ITIMER_REAL, 0.02)


def by_on_warning(lease):
    budget = AgentTokenBudget("a", 10, 60, on_warning=lambda budget: lease.release())
    threading.Thread(target=lambda: budget.consume("query", 9)).start()


def by_on_warning_here(lease):
    budget = AgentTokenBudget("a", 10, 60, on_warning=lambda budget: lease.release())
    asyncio.get_running_loop().call_later(0.001, lambda: budget.consume("query", 9))


def by_a_weak_reference(lease):
    import weakref

    class Owner:
        pass

    owner = Owner()
    owner.me = owner
    kept.append(weakref.ref(owner, lambda _: lease.release()))
    asyncio.get_running_loop().call_later(0.001, gc.collect)


kept = []
PLACES = [
    by_another_thread,
    by_a_thread_that_exits,
    by_a_signal,
    by_an_alarm,
    by_on_warning,
    by_on_warning_here,
    by_a_weak_reference,
]


@pytest.mark.parametrize("place", PLACES)
def test_a_release_wakes_the_loop_wherever_it_is_made(new_loop, place):
    """While the loop sleeps; it has nothing else to wake it but the time at which the test fails."""
    pool = SharedPool(capacity_tokens=1)
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGALRM)}

    async def main():
        held = pool.reserve(1)
        (task,) = await started(pool.reserve_wait(1))
        began = time.monotonic()
        place(held)
        (lease,) = await ended(task)
        assert time.monotonic() - began < SECONDS / 2
        lease.release()

    try:
        run(new_loop, main())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert is_free(pool)


@pytest.mark.parametrize("cycle", [False, True])
def test_a_lease_that_is_dropped_wakes_those_who_wait(new_loop, cycle):
    """By reference count, and as garbage; in this thread and in another."""
    pool = SharedPool(capacity_tokens=4, unsettled="release")

    async def main():
        for thread in (False, True):
            held = [pool.reserve(4)]
            if cycle:
                held.append(held)
            (task,) = await started(pool.reserve_wait(4))
            worker = Worker(lambda: pool.reserve_blocking(4).release())

            def drop(held=held):
                held.clear() if not cycle else None

            del held
            (Worker(drop).ended if thread else drop)()
            drop = None
            gc.collect()
            (lease,) = await ended(task)
            lease.release()
            worker.ended()

    run(new_loop, main())
    assert is_free(pool)


def test_many_threads_and_loops_reserve_release_and_give_up(new_loop):
    """Switches as often as can be: nothing is lost, nobody is stuck."""
    pool = SharedPool(capacity_tokens=5)
    outcomes = []

    def thread(number):
        for turn in range(60):
            try:
                lease = pool.reserve_blocking(1 + (turn + number) % 5, timeout=0.0005 * (turn % 4))
            except WaitTimeout:
                outcomes.append("late")
            else:
                outcomes.append("served")
                lease.release()

    async def task(number):
        for turn in range(20):
            try:
                async with asyncio.timeout(0.0007 * (turn % 4)):
                    lease = await pool.reserve_wait(1 + (turn + number) % 5)
                await settle(1)
                lease.release()
            except TimeoutError:
                outcomes.append("late")
            else:
                outcomes.append("served")

    async def main():
        await ended(*await started(*map(task, range(10))))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(8, lambda number: thread(number) if number % 2 else run(new_loop, main()))
    finally:
        sys.setswitchinterval(before)
    gc.collect()
    assert {"late", "served"} == set(outcomes)
    assert pool.reserved().total_tokens == 0
    pool.reserve(5 - pool.committed().total_tokens).release()
