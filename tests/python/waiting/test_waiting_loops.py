"""Waiting and event loops: closed, stopped, moved, several on one account; one timer in each."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from face_support import in_threads
from waiting_support import (
    SECONDS,
    ended,
    is_free,
    live_timers,
    others_fall_asleep,
    run,
    settle,
    started,
)

from outlay import ManualClock, RateLimiter, SharedPool
from outlay._waiting import loop as _waiting


@pytest.fixture
def loop(new_loop):
    """Return a loop that the test runs and may close; it says nothing of tasks that it leaves behind."""
    loop = new_loop()
    loop.set_exception_handler(lambda loop, context: None)
    yield loop
    loop.close()
    gc.collect()


def waiting_in(loop, *coroutines):
    """Return tasks that wait in a loop which is stopped again."""
    return loop.run_until_complete(started(*coroutines))


@pytest.mark.parametrize("kept", [True, False], ids=["tasks kept", "tasks dropped"])
@pytest.mark.parametrize("clock_of", [ManualClock, lambda: None], ids=["manual", "system"])
def test_a_loop_that_closes_takes_its_waits_out_of_the_queues(loop, clock_of, kept):
    """At the head, and asking for more than is free: nobody is kept behind it."""
    pool = SharedPool(capacity_tokens=10, clock=clock_of())
    held = pool.reserve(6)
    tasks = waiting_in(loop, pool.reserve_wait(5), pool.reserve_wait(1))
    if not kept:
        tasks.clear()
    loop.close()
    pool.reserve(4).release()
    held.release()
    assert is_free(pool)
    assert not any(task.done() for task in tasks)


@pytest.mark.parametrize("way", ["lease", "slot"])
def test_a_grant_that_is_under_way_to_a_loop_that_closes_goes_to_the_next(loop, clock, way):
    """The loop was told and never ran again."""
    limiter = RateLimiter(10, threshold=1.0, clock=clock)
    limiter.record_usage(10)
    wait = {"lease": limiter.reserve_wait, "slot": limiter.acquire_slot}[way]
    tasks = waiting_in(loop, wait(10))
    clock.advance(60)
    assert not limiter.try_acquire(1)
    loop.close()
    assert limiter.try_acquire(10)
    assert not tasks[0].done()


def test_closing_a_loop_hands_on_to_other_loops_and_threads(loop, new_loop):
    """Each of them waits behind the closed one."""
    pool = SharedPool(capacity_tokens=2)
    held = pool.reserve(2)
    tasks = waiting_in(loop, pool.reserve_wait(2), pool.reserve_wait(2))
    order = []

    def thread(number):
        lease = pool.reserve_blocking(2)
        order.append(number)
        lease.release()

    async def main():
        with ThreadPoolExecutor(2) as executor:
            behind = [asyncio.create_task(pool.reserve_wait(2)), executor.submit(thread, 1)]
            await settle()
            held.release()
            await settle()
            loop.close()
            (lease,) = await ended(behind[0])
            lease.release()
            behind[1].result(SECONDS)

    run(new_loop, main())
    assert order == [1]
    assert is_free(pool)
    assert len(tasks) == 2


def test_asyncio_run_that_ends_with_waits_pending_cancels_them(new_loop):
    """The usual way: nothing is left, not even in the queue."""
    pool = SharedPool(capacity_tokens=10)
    held = pool.reserve(6)

    async def main():
        await started(pool.reserve_wait(5), pool.reserve_wait(5))

    run(new_loop, main())
    pool.reserve(4).release()
    held.release()
    assert is_free(pool)


def test_a_loop_that_is_stopped_takes_its_grants_when_it_runs_again(loop):
    """Twice and more; what is granted meanwhile is kept for it."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    for _ in range(3):
        first, second = waiting_in(loop, pool.reserve_wait(1), pool.reserve_wait(1))
        held.release()
        assert not first.done()
        (lease,) = loop.run_until_complete(ended(first))
        lease.release()
        (held,) = loop.run_until_complete(ended(second))
    held.release()
    assert is_free(pool)


def test_a_loop_that_runs_again_in_another_thread_is_woken_there(loop):
    """By the thread in which it ran before, while it sleeps."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    tasks = waiting_in(loop, pool.reserve_wait(1))
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(lambda: loop.run_until_complete(ended(*tasks)))
        others_fall_asleep()
        held.release()
        (lease,) = done.result(SECONDS)
    lease.release()
    assert is_free(pool)


@pytest.mark.parametrize("loops", [2, 5])
def test_the_order_holds_across_loops_and_closing_one_strands_nobody(new_loop, loops):
    """They queue in turn; one of them ends with its waits pending."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    turn = threading.Condition()
    queued, order = [0], []

    async def work(number):
        with await pool.reserve_wait(1) as lease:
            order.append(number)
            lease.release()

    async def main(index):
        tasks = []
        for number in range(index, loops * 20, loops):
            with turn:
                assert turn.wait_for(lambda n=number: queued[0] == n, SECONDS)
                tasks += await started(work(number))
                queued[0] += 1
                turn.notify_all()
        with turn:
            assert turn.wait_for(lambda: queued[0] == loops * 20, SECONDS)
        if index == 0:
            if order or not tasks:
                raise AssertionError("it was to wait")
            held.release()
            return
        await ended(*tasks)

    in_threads(loops, lambda index: run(new_loop, main(index)))
    assert order == sorted(order)
    assert set(range(loops * 20)) - set(range(0, loops * 20, loops)) <= set(order)
    assert is_free(pool)


def test_loops_threads_and_windows_on_one_limiter_never_break_it(new_loop):
    """Three loops and three threads; the machine's clock alone."""
    limiter = RateLimiter.per(30, 0.05, threshold=1.0)
    served = []

    async def main():
        async def work():
            lease = await limiter.reserve_wait(1)
            served.append(limiter.current_usage())
            lease.commit()

        await ended(*[asyncio.create_task(work()) for _ in range(30)])

    def work(number):
        if number % 2:
            return run(new_loop, main())
        for _ in range(30):
            limiter.reserve_blocking(1, timeout=SECONDS).commit()
            served.append(limiter.current_usage())
        return None

    in_threads(6, work)
    assert len(served) == 180
    assert max(served) <= 30


def test_a_loop_may_close_at_any_moment_of_a_release(new_loop):
    """Another thread releases all the time: nothing is lost in between."""
    pool = SharedPool(capacity_tokens=3)
    stop = threading.Event()

    def release():
        while not stop.is_set():
            with contextlib.closing(pool.reserve_blocking(3)):
                pass

    releaser = threading.Thread(target=release)
    releaser.start()
    kept = []
    for number in range(100):
        loop = new_loop()
        loop.set_exception_handler(lambda loop, context: None)
        kept.append(waiting_in(loop, *[pool.reserve_wait(2) for _ in range(3)]))
        if number % 2:
            loop.run_until_complete(settle())
        loop.close()
        for task in kept[-1]:
            if task.done():
                task.result().release()
    stop.set()
    releaser.join(SECONDS)
    assert not releaser.is_alive()
    assert is_free(pool)
    kept.clear()
    gc.collect()


def test_ten_thousand_waits_on_fifty_limiters_take_one_timer(new_loop):
    """It is gone with them, and so are the state of the loop and the futures."""
    limiters = [RateLimiter(1) for _ in range(50)]
    for limiter in limiters:
        limiter.record_usage(1)
    gc.collect()  # states of other tests
    before = live_timers()
    left = []

    async def main():
        tasks = await started(*[limiters[number % 50].acquire_slot(1) for number in range(10_000)])
        assert live_timers() - before == 1
        (state,) = _waiting._states.values()
        left.append(weakref.ref(state))
        left.extend(weakref.ref(future) for _, future in state.waits.values())
        assert len(left) == 10_001
        del state
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert live_timers() == before

    run(new_loop, main())
    gc.collect()
    assert not any(watch() for watch in left)
    assert len(_waiting._states) == 0


@pytest.mark.parametrize("clock_of", [ManualClock, lambda: None], ids=["manual", "system"])
def test_a_task_that_nobody_keeps_waits_on(new_loop, clock_of):
    """As one that sleeps does: the loop keeps it."""
    pool = SharedPool(capacity_tokens=1, clock=clock_of())
    served = []

    async def work():
        served.append(await pool.reserve_wait(1))

    async def main():
        held = pool.reserve(1)
        await started(work())
        gc.collect()
        held.release()
        await settle()

    run(new_loop, main())
    assert len(served) == 1


def test_a_loop_that_is_forgotten_with_waits_pending_is_collected(new_loop):
    """Never closed, or closed: nothing of it stays, neither in the queue nor in memory."""
    pool = SharedPool(capacity_tokens=10)
    held = pool.reserve(6)
    for close in (True, False):
        loop = new_loop()
        loop.set_exception_handler(lambda loop, context: None)
        tasks = waiting_in(loop, pool.reserve_wait(5))
        watches = [weakref.ref(thing) for thing in (loop, tasks[0])]
        if close or "uvloop" in type(loop).__module__:
            # uvloop does not let a loop with a timer go that was not closed.
            loop.close()
        never_closed = contextlib.nullcontext() if loop.is_closed() else pytest.warns(ResourceWarning)
        with never_closed:
            del loop, tasks
            gc.collect()
        assert not any(watch() for watch in watches)
        pool.reserve(4).release()
    held.release()
    assert is_free(pool)


def test_releases_by_callbacks_of_the_loop_wake_the_waits(new_loop):
    """call_soon, call_later, the callback of a task, a thread of the executor."""
    pool = SharedPool(capacity_tokens=1)

    async def main():
        loop = asyncio.get_running_loop()
        release_by = [
            loop.call_soon,
            lambda release: loop.call_later(0.001, release),
            lambda release: asyncio.ensure_future(settle(2)).add_done_callback(lambda _: release()),
            lambda release: loop.run_in_executor(None, release),
            loop.call_soon_threadsafe,
        ]
        for by in release_by:
            held = pool.reserve(1)
            by(held.release)
            (await asyncio.wait_for(pool.reserve_wait(1), SECONDS)).release()

    run(new_loop, main())
    assert is_free(pool)


@pytest.mark.parametrize("call", ["look", "take_posted"])
def test_an_interruption_while_the_desk_works_loses_no_wait(loop, call):
    """Ctrl-C in the middle of it, by a handler that raises: the loop runs again and all are served."""
    pool = SharedPool(capacity_tokens=2)
    held = pool.reserve(2)
    tasks = waiting_in(loop, pool.reserve_wait(1), pool.reserve_wait(1))
    interrupted = []

    def profile(frame, event, function):
        name = getattr(function, "__name__", "")
        if event == "c_return" and name == call and not interrupted and frame.f_code.co_name == "run":
            interrupted.append(name)
            raise KeyboardInterrupt

    held.release()
    sys.setprofile(profile)
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(ended(*tasks))
    finally:
        sys.setprofile(None)
    for lease in loop.run_until_complete(ended(*tasks)):
        lease.release()
    assert is_free(pool)
