"""The waiting of asyncio: Rust keeps the queues and decides, an event loop keeps its futures.

Each event loop has one `_Desk`, with one timer for the earliest moment at which something may become free
for any of its waits. Whoever frees capacity hands it to the wait whose turn it is and wakes the desk of its
loop, from whatever thread; the desk then ends the futures of all waits that have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from . import _core
from ._attach import attach

if TYPE_CHECKING:
    from datetime import timedelta

    from ._core import BudgetLease, RateLimiter, RequestBudget, SharedPool, Usage, UsageEstimate, Wait
    from ._stubs.package import Asked


_DAY = 86_400.0  # the longest that loops sleep at a time


class _Call:
    """What a loop calls later. A loop drops it when it closes: then its waits leave their queues."""

    __slots__ = ("desk", "method")

    def __init__(self, desk: _Desk, method: Callable[[], None]) -> None:
        self.desk = desk
        self.method = method

    def __call__(self) -> None:
        self.method()

    def __del__(self) -> None:
        if self.desk.loop.is_closed():
            self.desk.leave()


class _Desk:
    """The waits of one event loop, which keeps it alive by its timer for as long as there are any."""

    __slots__ = ("__weakref__", "loop", "mailbox", "rings", "scheduled", "timer", "waits")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        desk = ref(self)  # the mailbox does not keep the desk alive

        def wake() -> None:
            if (awake := desk()) is not None:
                awake.wake()

        self.loop = loop
        self.mailbox = _core.Mailbox(wake)
        self.waits: dict[int, tuple[Wait, asyncio.Future[None]]] = {}
        self.scheduled = False
        # The loop alone keeps the handle, so that it drops it when it closes.
        self.timer: ref[asyncio.TimerHandle] | None = None
        self.rings = inf

    async def wait(self, join: Callable[[_core.Mailbox], Wait]) -> BudgetLease | None:
        """Join a queue and wait for the end; what was given and nobody received is given back."""
        wait = join(self.mailbox)
        ticket = wait.ticket
        try:
            if wait.pending:
                future = self.loop.create_future()
                self.waits[ticket] = wait, future
                if self.timer is None:
                    self.arm(self.mailbox.looks_in())
                await future
            return wait.result()
        finally:
            self.waits.pop(ticket, None)
            wait.leave()
            if not self.waits:
                self.disarm()

    def wake(self) -> None:
        """Have `run` called in the loop's thread; from any thread, under no lock."""
        if self.scheduled and not self.loop.is_closed():
            return
        self.scheduled = True
        try:
            # Within a task the loop will look before it sleeps. Elsewhere in its thread this may be
            # a signal handler that runs while it sleeps.
            in_task = asyncio._get_running_loop() is self.loop and asyncio.current_task(self.loop)
            call = self.loop.call_soon if in_task else self.loop.call_soon_threadsafe
            call(_Call(self, self.run))
        except BaseException as error:
            self.scheduled = False
            if not (isinstance(error, RuntimeError) and self.loop.is_closed()):
                raise
            self.leave()

    def run(self) -> None:
        """End the futures of the waits that have ended, after serving those who are due."""
        self.scheduled = True  # what is posted during the look is taken below
        try:
            seconds = self.mailbox.look()
            self.scheduled = False
            self.end(self.mailbox.take_posted())
            self.arm(seconds)
        except BaseException:
            # A signal handler has raised, at any point of this.
            self.scheduled = False
            self.end(list(self.waits))
            self.arm(0)
            raise

    def end(self, tickets: list[int]) -> None:
        """End the futures of those that wait no more."""
        for ticket in tickets:
            if (entry := self.waits.get(ticket)) is not None:
                wait, future = entry
                if not (wait.pending or future.done()):
                    future.set_result(None)

    def leave(self) -> None:
        """Give what the waits are given to those who wait elsewhere: nobody here will ever take it."""
        for wait, _ in list(self.waits.values()):
            wait.leave()

    def tick(self) -> None:
        """Run when the timer rings."""
        self.timer, self.rings = None, inf
        self.run()

    def arm(self, seconds: float | None) -> None:
        """Look again in so many seconds; a timer that rings earlier will do."""
        seconds = _DAY if seconds is None else min(seconds, _DAY)
        rings = self.loop.time() + seconds
        if self.waits and rings < self.rings:
            self.disarm()
            self.timer = ref(self.loop.call_later(seconds, _Call(self, self.tick)))
            self.rings = rings

    def disarm(self) -> None:
        """Stop the timer."""
        if self.timer is not None and (timer := self.timer()) is not None:
            timer.cancel()
        self.timer, self.rings = None, inf


_desks: WeakValueDictionary[int, _Desk] = WeakValueDictionary()


def desk() -> _Desk:
    """Return the desk of the running loop; its waits keep it alive."""
    loop = asyncio.get_running_loop()
    known = _desks.get(id(loop))
    if known is None or known.loop is not loop:
        known = _desks[id(loop)] = _Desk(loop)
    return known


async def acquire_slot(
    self: RateLimiter, tokens: int = 0, *, timeout: float | timedelta | None = None
) -> None:
    if not self._try_slot(tokens, timeout):
        await desk().wait(partial(self._wait_for_slot, tokens, timeout))


async def limiter_reserve_wait(
    self: RateLimiter,
    tokens: int | Usage | UsageEstimate,
    *,
    ttl: float | timedelta | None = None,
    timeout: float | timedelta | None = None,
) -> BudgetLease:
    lease = self._try_reserve(tokens, ttl, timeout)
    if lease is None:
        lease = await desk().wait(partial(self._wait, tokens, ttl, timeout))
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
    lease = self._try_reserve(estimate, request_budget, ttl, timeout)
    if lease is None:
        lease = await desk().wait(partial(self._wait, estimate, request_budget, ttl, timeout))
        assert lease is not None
    return lease


async def reserve_together_wait(
    budgets: Sequence[Asked],
    estimate: UsageEstimate,
    *,
    operation: str,
    timeout: float | timedelta | None,
    labels: Mapping[str, str],
    covered: Sequence[int],
) -> BudgetLease | None:
    """Reserve of several budgets in one step, as `reserve_together` does, and wait as it does."""
    # Kept until the wait is joined: nothing else keeps a desk alive that nobody waits at.
    places: list[_Desk] = []

    def mailbox() -> _core.Mailbox:
        places.append(desk())
        return places[0].mailbox

    got = _core.wait_together(
        budgets, estimate, mailbox, operation=operation, timeout=timeout, labels=labels, covered=covered
    )
    if got is None or isinstance(got, _core.BudgetLease):
        return got
    joined = got
    return await places[0].wait(lambda _mailbox: joined)


attach(_core.RateLimiter, "acquire_slot", acquire_slot)
attach(_core.RateLimiter, "reserve_wait", limiter_reserve_wait)
attach(_core.SharedPool, "reserve_wait", pool_reserve_wait)
