"""The waits of asyncio event loops: Rust keeps the queues, `LoopState` keeps the futures of one loop.

Each event loop has one `LoopState`. It has one timer, for the earliest moment at which capacity may become
free for any of its waits. The thread that frees capacity gives it to the wait whose turn it is. It then wakes
the `LoopState` of that wait, which ends the futures of all waits that have ended.

A loop may stand still when it is woken: it was stopped, and not closed. If it still does after `STANDSTILL`,
what its waits were given goes on to the next. They wait again, at their old places, once it runs.
"""

from __future__ import annotations

import asyncio
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import sleep
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from outlay._core import Mailbox
from outlay._waiting.no_loop import no_loop_error

if TYPE_CHECKING:
    from outlay._core import BudgetLease, Wait


# The longest that a loop sleeps at a time. Its timers do not count the time of a suspension.
_LONGEST = 10.0
STANDSTILL = 5.0  # how many seconds a loop that stands still keeps what its waits were given


class _Callback:
    """A scheduled callback of a loop. A loop that closes drops it; its waits then leave their queues."""

    __slots__ = ("method", "state")

    def __init__(self, state: LoopState, method: Callable[[], None]) -> None:
        self.state = state
        self.method = method

    def __call__(self) -> None:
        self.method()

    def __del__(self) -> None:
        if self.state.loop.is_closed():
            self.state.leave()


class LoopState:
    """The waits of one event loop. The loop's timer keeps this object alive while there are any."""

    __slots__ = (
        "__weakref__",
        "fires_at",
        "loop",
        "mailbox",
        "passed",
        "scheduled",
        "timer",
        "waits",
        "watched",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        weak_self = ref(self)  # the mailbox must not keep this object alive

        def wake() -> None:
            if (state := weak_self()) is not None:
                state.wake()

        self.loop = loop
        self.mailbox = Mailbox(wake)
        self.waits: dict[int, tuple[Wait, asyncio.Future[None]]] = {}
        self.scheduled = False
        self.watched = False  # whether a thread looks after a loop that stands still
        self.passed = False  # whether others may have passed its waits
        # The loop alone keeps the handle, so that it drops it when it closes.
        self.timer: ref[asyncio.TimerHandle] | None = None
        self.fires_at = inf

    async def wait(self, join: Callable[[Mailbox], Wait]) -> BudgetLease | None:
        """Join a queue and wait for the end. A lease that the caller did not receive is given back."""
        wait = join(self.mailbox)
        ticket = wait.ticket
        seconds = wait.gives_up_in
        late = None if seconds is None else self.loop.call_later(seconds, wait.give_up)
        try:
            while wait.pending:
                future = self.loop.create_future()
                self.waits[ticket] = wait, future
                if self.timer is None:
                    self.arm(self.mailbox.looks_in())
                await future
            return wait.result()
        finally:
            if late is not None:
                late.cancel()
            self.waits.pop(ticket, None)
            wait.leave()
            if not self.waits:
                self.disarm()

    def wake(self) -> None:
        """Schedule `run` in the loop's thread. Any thread may call this, while it holds no lock."""
        runs = self.loop.is_running()
        if self.scheduled and runs:
            return
        if not (runs or self.watched or self.loop.is_closed()):
            self.watched = True
            _watch(ref(self))
        self.schedule()

    def schedule(self) -> None:
        """Schedule `run`, unless it is already."""
        if self.scheduled and not self.loop.is_closed():
            return
        self.scheduled = True
        try:
            # Inside a task, the loop reads its callbacks before it sleeps. Elsewhere in its thread, this may
            # be a signal handler, which can run while the loop sleeps.
            in_task = asyncio._get_running_loop() is self.loop and asyncio.current_task(self.loop)
            call = self.loop.call_soon if in_task else self.loop.call_soon_threadsafe
            call(_Callback(self, self.run))
        except BaseException as error:
            self.scheduled = False
            if not (isinstance(error, RuntimeError) and self.loop.is_closed()):
                raise
            self.leave()

    def run(self) -> None:
        """Serve the waits that are due, then end the futures of all waits that have ended."""
        self.scheduled = True  # tickets that are posted during the refresh are taken below
        try:
            seconds = self.mailbox.look()
            self.scheduled = False
            self.resume()
            self.end(self.mailbox.take_posted())
            self.arm(seconds)
        except BaseException:
            # A signal handler may raise at any point above.
            self.scheduled = False
            self.end(list(self.waits))
            self.arm(0)
            raise

    def end(self, tickets: list[int]) -> None:
        """End the futures of the given waits, unless they are still pending."""
        for ticket in tickets:
            if (entry := self.waits.get(ticket)) is not None:
                wait, future = entry
                if not (wait.pending or future.done()):
                    future.set_result(None)

    def pass_over(self) -> None:
        """Hand on what the waits were given, if the loop still stands still."""
        self.watched = False
        if self.loop.is_running() or self.loop.is_closed():
            return
        # What one gives back may be given to the next, of the same loop.
        while sum(wait.pass_over() for _, (wait, _) in sorted(self.waits.items())):
            self.passed = True
        self.schedule()

    def resume(self) -> None:
        """Let the waits that others passed wait again, the oldest first."""
        if self.passed:
            self.passed = False
            for _, (wait, _) in sorted(self.waits.items()):
                wait.resume()

    def leave(self) -> None:
        """Take all waits of this loop out of their queues: nothing will run here to receive capacity."""
        for wait, _ in list(self.waits.values()):
            wait.leave()

    def tick(self) -> None:
        """Forget the timer that has fired, and run."""
        self.timer, self.fires_at = None, inf
        self.run()

    def arm(self, seconds: float | None) -> None:
        """Set the timer to fire in `seconds`, unless it already fires earlier."""
        seconds = _LONGEST if seconds is None else min(seconds, _LONGEST)
        fires_at = self.loop.time() + seconds
        if self.waits and fires_at < self.fires_at:
            self.disarm()
            self.timer = ref(self.loop.call_later(seconds, _Callback(self, self.tick)))
            self.fires_at = fires_at

    def disarm(self) -> None:
        """Stop the timer."""
        if self.timer is not None and (timer := self.timer()) is not None:
            timer.cancel()
        self.timer, self.fires_at = None, inf


def _watch(weak_state: ref[LoopState]) -> None:
    """Look after a loop that stands still, once `STANDSTILL` is over."""

    def watch() -> None:
        sleep(STANDSTILL)
        if (state := weak_state()) is not None:
            state.pass_over()

    # A garbage collection anywhere may call this. So it takes no lock, as `threading.Thread` would. At
    # the end of the interpreter no thread starts, and nobody waits.
    with suppress(RuntimeError):
        start_new_thread(watch, ())


_states: WeakValueDictionary[int, LoopState] = WeakValueDictionary()


def loop_state() -> LoopState:
    """Return the state of the running loop. Its waits keep it alive.

    Raises:
        RuntimeError: No asyncio loop runs.

    """
    loop = asyncio._get_running_loop()
    if loop is None:
        raise no_loop_error()
    known = _states.get(id(loop))
    if known is None or known.loop is not loop:
        known = _states[id(loop)] = LoopState(loop)
    return known
