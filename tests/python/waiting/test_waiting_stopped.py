"""Loops that are stopped and not closed: what they were given goes on, and their waits keep their places."""

from __future__ import annotations

import gc
import time

import pytest
from waiting_support import SECONDS, Worker, ended, is_free, others_fall_asleep, started

from outlay import Guard, ManualClock, RateLimiter, SharedPool, WaitTimeout
from outlay._waiting import loop as _waiting


@pytest.fixture
def loop(new_loop):
    """Return a loop that the test runs and stops."""
    loop = new_loop()
    loop.set_exception_handler(lambda loop, context: None)
    yield loop
    loop.close()
    gc.collect()


def waiting_in(loop, *coroutines):
    """Return tasks that wait in a loop which is stopped again."""
    return loop.run_until_complete(started(*coroutines))


def stand_still(loop):
    """Let the time pass after which a loop that stands still has to hand on."""
    _waiting._states[id(loop)].pass_over()


def pool_of_two_rules():
    """Return a guard of which a call holds two pools."""
    pools = [{"name": name, "max_concurrent": 1, "on_limit": {"wait": "1h"}} for name in ("one", "two")]
    return Guard({"pool": pools}, clock=ManualClock())


KINDS = {
    "pool": lambda: SharedPool(capacity_tokens=1),
    "limiter": lambda: RateLimiter(1, clock=ManualClock()),
    "guard": pool_of_two_rules,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_behind_a_stopped_loop_is_served_after_a_while(loop, kind, monkeypatch):
    """The grant was kept for the loop for ever."""
    monkeypatch.setattr(_waiting, "STANDSTILL", 0.01)
    budget = KINDS[kind]()
    held = budget.reserve(1)
    (task,) = waiting_in(loop, budget.reserve_wait(1))
    worker = Worker(lambda: budget.reserve_blocking(1, timeout=3600))
    held.release()
    lease = worker.ended()
    assert lease.state == "open"
    assert not task.done()
    lease.release()
    (lease,) = loop.run_until_complete(ended(task))
    lease.release()
    budget.reserve(1).release()


def test_a_slot_goes_on_as_a_lease_does(loop, clock):
    """The slot of a limiter holds tokens, which the next needs."""
    limiter = RateLimiter(10, threshold=1.0, clock=clock)
    limiter.record_usage(10)
    (task,) = waiting_in(loop, limiter.acquire_slot(10))
    clock.advance(60)
    assert not limiter.try_acquire(1)
    stand_still(loop)
    assert limiter.try_acquire(10)
    assert not task.done()
    limiter.record_usage(0)
    assert loop.run_until_complete(ended(task)) == [None]


def test_a_wait_that_others_passed_keeps_its_place(loop):
    """It is older than those that queued while its loop stood still, and is served before them."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    tasks = waiting_in(loop, pool.reserve_wait(1), pool.reserve_wait(1))
    held.release()
    stand_still(loop)
    held = pool.reserve(1)  # nobody waits while the loop stands still
    order = []

    def younger():
        lease = pool.reserve_blocking(1)
        order.append("thread")
        lease.release()

    worker = Worker(younger)
    loop.run_until_complete(started())
    held.release()
    for _ in range(2):
        (lease,) = loop.run_until_complete(ended(tasks.pop(0)))
        order.append("task")
        lease.release()
    worker.ended()
    assert order == ["task", "task", "thread"]
    assert is_free(pool)


def test_a_loop_that_runs_again_in_time_takes_what_it_was_given(loop):
    """Nothing is handed on then."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    (task,) = waiting_in(loop, pool.reserve_wait(1))
    state = _waiting._states[id(loop)]
    held.release()
    (lease,) = loop.run_until_complete(ended(task))
    state.pass_over()
    assert lease.state == "open"
    lease.release()
    assert is_free(pool)


def test_nothing_is_taken_from_a_loop_that_runs(new_loop):
    """However long its tasks take."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    loop = new_loop()

    async def main():
        (task,) = await started(pool.reserve_wait(1))
        held.release()
        stand_still(loop)
        (lease,) = await ended(task)
        assert lease.state == "open"
        lease.release()

    loop.run_until_complete(main())
    loop.close()
    assert is_free(pool)


def test_a_wait_whose_time_is_over_when_its_loop_runs_again_times_out(loop, clock):
    """It stood still for longer than it was to wait, and another has what it waited for."""
    pool = SharedPool(capacity_tokens=1, clock=clock)
    held = pool.reserve(1)
    (task,) = waiting_in(loop, pool.reserve_wait(1, timeout=5))
    held.release()
    stand_still(loop)
    other = pool.reserve(1)
    clock.advance(6)
    with pytest.raises(WaitTimeout):
        loop.run_until_complete(ended(task))
    other.release()
    assert is_free(pool)


@pytest.mark.parametrize("way", ["closed", "cancelled"])
def test_a_passed_wait_that_never_comes_back_leaves_nothing(loop, way):
    """Its loop closes, or it is cancelled once the loop runs."""
    pool = SharedPool(capacity_tokens=1)
    held = pool.reserve(1)
    (task,) = waiting_in(loop, pool.reserve_wait(1))
    held.release()
    stand_still(loop)
    if way == "cancelled":
        task.cancel()
        loop.run_until_complete(started())
    else:
        loop.close()
    assert is_free(pool)


def test_threads_and_a_loop_that_stops_again_and_again_share_a_pool(loop, monkeypatch):
    """None is stranded, and nothing is lost, whoever is given it while the loop stops."""
    monkeypatch.setattr(_waiting, "STANDSTILL", 0.0)
    pool = SharedPool(capacity_tokens=1)
    turns = []

    def work():
        for _ in range(200):
            pool.reserve_blocking(1, timeout=60).release()

    async def task():
        for _ in range(50):
            lease = await pool.reserve_wait(1, timeout=60)
            turns.append(1)
            lease.release()

    workers = [Worker(work) for _ in range(2)]
    (waiting,) = waiting_in(loop, task())
    until = time.monotonic() + SECONDS
    while not waiting.done():
        assert time.monotonic() < until, "the loop's task is stranded"
        loop.run_until_complete(started())
        others_fall_asleep(0.0005)
    assert [worker.ended() for worker in workers] == [None, None]
    assert len(turns) == 50
    assert is_free(pool)
