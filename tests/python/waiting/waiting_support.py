"""Helpers of the tests of waiting: loops, and tasks that get as far as they can."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from outlay import ManualClock, RateLimiter, SharedPool

try:
    import uvloop
except ImportError:
    TIMERS = (asyncio.TimerHandle,)
else:
    TIMERS = (asyncio.TimerHandle, uvloop.loop.TimerHandle)

#: How long a test waits for what must come.
SECONDS = 10


def run(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop of its own; what the loop complains of fails the test."""
    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        result = runner.run(main)
    assert complaints == []
    return result


async def settle(turns: int = 5) -> None:
    """Let the tasks of this loop get as far as they do by themselves."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def started(*coroutines: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Return tasks that have got as far as they do by themselves."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await settle()
    return tasks


async def ended(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Return what the tasks return, which have to end by themselves."""
    _, pending = await asyncio.wait(tasks, timeout=SECONDS)
    assert not pending, f"{len(pending)} of {len(tasks)} wait for ever"
    return [task.result() for task in tasks]


def live_timers() -> int:
    """Return how many timers of any loop are not cancelled; those that have rung are gone."""
    return sum(type(thing) in TIMERS and not thing.cancelled() for thing in gc.get_objects())


def is_free(pool: SharedPool) -> bool:
    """Return whether nothing is held, nothing was charged and nobody waits for all of it."""
    left = pool.remaining().tokens
    if pool.reserved().total_tokens or pool.committed().total_tokens or pool.open_leases():
        return False
    pool.reserve(left).release()
    return True


def others_fall_asleep(seconds: float = 0.05) -> None:
    """Give other threads the time to sleep; where they do not, a test sees less, and does not fail."""
    threading.Event().wait(seconds)


class Worker(threading.Thread):
    """A thread that calls one thing and keeps what it answered or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.call, self.answer = call, None
        self.start()

    def run(self) -> None:
        """Call it."""
        try:
            self.answer = self.call()
        except BaseException as error:
            self.answer = error

    def ended(self) -> Any:
        """Return the answer, which has to come by itself."""
        self.join(SECONDS)
        assert not self.is_alive(), "a thread waits for ever"
        return self.answer


class Queue:
    """A limiter that is full, and all who wait ask for all of it: how many there are can be told."""

    def __init__(self) -> None:
        self.limiter = RateLimiter(10, threshold=1.0, clock=ManualClock())
        self.held = self.limiter.reserve(10)
        self.order: list[int] = []

    def block(self, number: int) -> None:
        """Wait in this thread, and let the next have it."""
        lease = self.limiter.reserve_blocking(10)
        self.order.append(number)
        lease.release()

    async def wait(self, number: int) -> None:
        """Wait in this task, and let the next have it."""
        lease = await self.limiter.reserve_wait(10)
        self.order.append(number)
        lease.release()

    def worker(self, number: int) -> Worker:
        """Return a thread that waits in the queue."""
        before = self.limiter.retry_after(1)
        worker = Worker(lambda: self.block(number))
        until = time.monotonic() + SECONDS
        # Each one more is a window more.
        while self.limiter.retry_after(1) <= before:
            assert time.monotonic() < until, "it does not queue"
            others_fall_asleep(0.001)
        return worker
