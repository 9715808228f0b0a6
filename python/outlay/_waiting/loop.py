"""The waiting of asyncio: Rust keeps the queues and decides, an event loop keeps its futures.

Each event loop has one `Desk`, with one timer for the earliest moment at which something may become free
for any of its waits. Whoever frees capacity hands it to the wait whose turn it is and wakes the desk of its
loop, from whatever thread; the desk then ends the futures of all waits that have ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from outlay._core import Mailbox

if TYPE_CHECKING:
    from outlay._core import BudgetLease, Wait


_DAY = 86_400.0  # the longest that loops sleep at a time


class _Callback:
    """What a loop calls later. A loop drops it when it closes: then its waits leave their queues."""

    __slots__ = ("desk", "method")

    def __init__(self, desk: Desk, method: Callable[[], None]) -> None:
        self.desk = desk
        self.method = method

    def __call__(self) -> None:
        self.method()

    def __del__(self) -> None:
        if self.desk.loop.is_closed():
            self.desk.leave()


class Desk:
    """The waits of one event loop, which keeps it alive by its timer for as long as there are any."""

    __slots__ = ("__weakref__", "loop", "mailbox", "rings", "scheduled", "timer", "waits")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        desk = ref(self)  # the mailbox does not keep the desk alive

        def wake() -> None:
            if (awake := desk()) is not None:
                awake.wake()

        self.loop = loop
        self.mailbox = Mailbox(wake)
        self.waits: dict[int, tuple[Wait, asyncio.Future[None]]] = {}
        self.scheduled = False
        # The loop alone keeps the handle, so that it drops it when it closes.
        self.timer: ref[asyncio.TimerHandle] | None = None
        self.rings = inf

    async def wait(self, join: Callable[[Mailbox], Wait]) -> BudgetLease | None:
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
            call(_Callback(self, self.run))
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
            self.timer = ref(self.loop.call_later(seconds, _Callback(self, self.tick)))
            self.rings = rings

    def disarm(self) -> None:
        """Stop the timer."""
        if self.timer is not None and (timer := self.timer()) is not None:
            timer.cancel()
        self.timer, self.rings = None, inf


_desks: WeakValueDictionary[int, Desk] = WeakValueDictionary()


def desk() -> Desk:
    """Return the desk of the running loop; its waits keep it alive."""
    loop = asyncio.get_running_loop()
    known = _desks.get(id(loop))
    if known is None or known.loop is not loop:
        known = _desks[id(loop)] = Desk(loop)
    return known
