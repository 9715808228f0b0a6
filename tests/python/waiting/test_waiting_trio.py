"""Waiting where no asyncio loop runs: a clear error, and under trio a warning at the first call."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial

import pytest

from outlay import Guard, ManualClock, RateLimiter, SharedPool, governed

NEEDS_TRIO = pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="trio is not installed")
ERROR = "waiting needs an asyncio event loop, and {} runs here; a thread can wait with reserve_blocking"


def governed_call(budget):
    """Return the call of a governed function that may wait."""

    async def call():
        return None

    return governed(budget, estimate=1, wait=60)(call)


def held_pool():
    """Return a pool that is full, and what waits for it."""
    pool = SharedPool(capacity_tokens=1)
    return pool.reserve(1), partial(pool.reserve_wait, 1, timeout=60)


def held_limiter():
    """Return a limiter that is full, and what waits for a lease."""
    limiter = RateLimiter(1, clock=ManualClock())
    return limiter.reserve(1), partial(limiter.reserve_wait, 1)


def held_slots():
    """Return a limiter that is full, and what waits for a slot."""
    limiter = RateLimiter(1, clock=ManualClock())
    return limiter.reserve(1), limiter.acquire_slot


def held_guard():
    """Return a guard that is full, and what waits for it."""
    guard = Guard({"pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "1h"}}]})
    return guard.reserve(1), partial(guard.reserve_wait, 1)


def held_allotment():
    """Return a part of a guard that is full, and what waits for it."""
    policy = {
        "budget": [{"name": "b", "limit": {"tokens": 9}}],
        "pool": [{"name": "p", "max_concurrent": 1, "on_limit": {"wait": "1h"}}],
    }
    part = Guard(policy).allot(tokens=9)
    return part.reserve(1), partial(part.reserve_wait, 1)


def held_wrap():
    """Return a pool that is full, and a governed function that waits for it."""
    pool = SharedPool(capacity_tokens=1)
    return pool.reserve(1), governed_call(pool)


HELD = [held_pool, held_limiter, held_slots, held_guard, held_allotment, held_wrap]


@pytest.mark.parametrize("held", HELD)
@NEEDS_TRIO
def test_what_must_wait_under_trio_says_that_it_needs_asyncio(held):
    """The error was that of asyncio, with nothing of outlay in it."""
    import trio

    lease, wait = held()
    with pytest.raises(RuntimeError, match=ERROR.format("trio")) as caught:
        trio.run(wait)
    assert "trio.to_thread.run_sync" in str(caught.value)
    lease.release()
    trio.run(wait)


@pytest.mark.parametrize("held", HELD)
def test_what_must_wait_without_any_loop_says_so(held):
    """A coroutine that is driven by hand, or by another framework."""
    lease, wait = held()
    with pytest.raises(RuntimeError, match=ERROR.format("none")):
        wait().send(None)
    lease.release()
    with pytest.raises(StopIteration):
        wait().send(None)


@NEEDS_TRIO
def test_the_way_out_under_trio_waits():
    """A thread of trio waits while its other tasks run."""
    import trio

    pool = SharedPool(capacity_tokens=1)

    async def main():
        held = pool.reserve(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                partial(trio.to_thread.run_sync, partial(pool.reserve_blocking, 1, timeout=60))
            )
            await trio.lowlevel.checkpoint()
            held.release()

    trio.run(main)
    assert pool.remaining().tokens == 0  # the lease was dropped, and is charged


PROGRAM = """
import asyncio, sys, trio
from outlay import Guard, RateLimiter, SharedPool
async def main():
    {call}
for framework in sys.argv[1:]:
    print(framework, file=sys.stderr)
    {{"trio": trio.run, "asyncio": lambda call: asyncio.run(call())}}[framework](main)
"""
CALLS = {
    "pool": "(await SharedPool(capacity_tokens=1).reserve_wait(1)).release()",
    "limiter": "(await RateLimiter(1).reserve_wait(1)).release()",
    "slot": "await RateLimiter(1).acquire_slot()",
    "guard": "(await Guard({'pool': []}).reserve_wait(1)).release()",
}


@pytest.mark.parametrize("call", CALLS)
@NEEDS_TRIO
def test_the_first_call_under_trio_warns_where_there_is_room(call):
    """Else nobody would notice before there is load. The line of the caller is named."""
    said = stderr_of(CALLS[call], "trio", "trio").splitlines()
    assert said[0] == "trio"
    assert said[1].startswith("<string>:5: RuntimeWarning: outlay waits with asyncio, and trio runs here")
    assert "trio.to_thread.run_sync" in said[1]
    assert said[-1] == "trio"
    assert len([line for line in said if "RuntimeWarning" in line]) == 1


@NEEDS_TRIO
def test_under_asyncio_nothing_is_said():
    """Also if trio is imported."""
    assert stderr_of(CALLS["pool"], "asyncio").splitlines() == ["asyncio"]


def stderr_of(call, *frameworks):
    """Return what a process says that makes a call under each of these frameworks."""
    command = [sys.executable, "-W", "default", "-c", PROGRAM.format(call=call), *frameworks]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr
