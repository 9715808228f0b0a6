"""The waiting of asyncio: Rust keeps the queues and decides, an event loop keeps its futures.

Each event loop has one `_Desk`, with one timer for the earliest moment at which something may become free
for any of its waits. Whoever frees capacity hands it to the wait whose turn it is and wakes the desk of its
loop, from whatever thread; the desk then ends the futures of all waits that have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from . import _core
from ._errors import LimitExceeded

if TYPE_CHECKING:
    from datetime import timedelta

    from ._core import BudgetLease, RateLimiter, RequestBudget, SharedPool, Usage, UsageEstimate, Wait


class _Desk:
    """The waits of one event loop."""

    __slots__ = ("__weakref__", "futures", "loop", "mailbox", "scheduled", "thread", "timer", "waits")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        desk = ref(self)  # the mailbox does not keep the desk alive

        def wake() -> None:
            if (awake := desk()) is not None:
                awake.wake()

        self.loop = loop
        self.thread = get_ident()
        self.mailbox = _core.Mailbox(wake)
        self.futures: dict[int, asyncio.Future[None]] = {}
        self.waits: dict[int, Wait] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.scheduled = False

    async def wait(self, wait: Wait) -> BudgetLease | None:
        """Wait until `wait` has ended; what it was given and nobody received is given back."""
        ticket = wait.ticket
        try:
            if wait.pending:
                self.waits[ticket] = wait
                self.futures[ticket] = future = self.loop.create_future()
                self.arm(self.mailbox.looks_in())
                await future
            return wait.result()
        finally:
            self.futures.pop(ticket, None)
            self.waits.pop(ticket, None)
            wait.leave()
            if self.timer is not None and not self.futures:
                self.timer.cancel()
                self.timer = None

    def wake(self) -> None:
        """Have `run` called in the loop's thread; from any thread, under no lock."""
        if self.scheduled and not self.loop.is_closed():
            return
        self.scheduled = True
        try:
            if self.thread == get_ident():
                self.loop.call_soon(self.run)
            else:
                self.loop.call_soon_threadsafe(self.run)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            # Nobody here will ever take what is given: it goes to those who wait elsewhere.
            for wait in list(self.waits.values()):
                wait.leave()
        except BaseException:
            self.scheduled = False
            raise

    def run(self) -> None:
        """End the futures of the waits that have ended, after serving those who are due."""
        self.scheduled = True  # what is posted during the look is taken below
        seconds = self.mailbox.look()
        self.scheduled = False
        for ticket in self.mailbox.take_posted():
            future = self.futures.pop(ticket, None)
            if future is not None and not future.done():
                future.set_result(None)
        self.arm(seconds)

    def tick(self) -> None:
        """Run when the timer rings."""
        self.timer = None
        self.run()

    def arm(self, seconds: float | None) -> None:
        """Look again in so many seconds; a timer that rings earlier will do."""
        if seconds is None or not self.futures:
            return
        if self.timer is not None:
            if self.timer.when() <= self.loop.time() + seconds:
                return
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, self.tick)


_desks: WeakValueDictionary[int, _Desk] = WeakValueDictionary()


def _desk() -> _Desk:
    """Return the desk of the running loop; its waits keep it alive."""
    loop = asyncio.get_running_loop()
    desk = _desks.get(id(loop))
    if desk is None or desk.loop is not loop:
        desk = _desks[id(loop)] = _Desk(loop)
    desk.thread = get_ident()
    return desk


async def _wait(join: Callable[[_core.Mailbox], Wait]) -> BudgetLease | None:
    desk = _desk()
    return await desk.wait(join(desk.mailbox))


async def acquire_slot(
    self: RateLimiter, tokens: int = 0, *, timeout: float | timedelta | None = None
) -> None:
    """See the stub of `RateLimiter`."""
    if not self._try_slot(tokens, timeout):
        await _wait(lambda mailbox: self._wait_for_slot(tokens, timeout, mailbox))


async def limiter_reserve_wait(
    self: RateLimiter,
    tokens: int | Usage | UsageEstimate,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
) -> BudgetLease:
    """See the stub of `RateLimiter`."""
    lease = self._try_reserve(tokens, ttl, timeout)
    if lease is None:
        lease = await _wait(lambda mailbox: self._wait(tokens, ttl, timeout, mailbox))
        assert lease is not None
    return lease


async def pool_reserve_wait(
    self: SharedPool,
    estimate: int | Usage | UsageEstimate,
    request_budget: RequestBudget | None = None,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
) -> BudgetLease:
    """See the stub of `SharedPool`."""
    lease = self._try_reserve(estimate, request_budget, ttl, timeout)
    if lease is None:
        lease = await _wait(lambda mailbox: self._wait(estimate, request_budget, ttl, timeout, mailbox))
        assert lease is not None
    return lease


async def reserve_together_wait(
    budgets: Sequence[_core._Native],
    estimate: UsageEstimate,
    *,
    operation: str,
    timeout: float | timedelta | None,
) -> BudgetLease:
    """Reserve of several budgets in one step, as `reserve_together` does, and wait as it does."""
    try:
        return _core.reserve_together(budgets, estimate, operation=operation)
    except LimitExceeded:
        if timeout is None:
            raise
    lease = await _wait(
        lambda mailbox: _core.wait_together(budgets, estimate, mailbox, operation=operation, timeout=timeout)
    )
    assert lease is not None
    return lease


def _attach(owner: type, name: str, method: Callable[..., object]) -> None:
    """Make `method` a method of a native class, whose stub declares it."""
    method.__name__, method.__qualname__, method.__module__ = name, f"{owner.__name__}.{name}", "outlay"
    setattr(owner, name, method)


_attach(_core.RateLimiter, "acquire_slot", acquire_slot)
_attach(_core.RateLimiter, "reserve_wait", limiter_reserve_wait)
_attach(_core.SharedPool, "reserve_wait", pool_reserve_wait)
