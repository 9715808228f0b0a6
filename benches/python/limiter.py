"""What the sliding limiter costs, beside empty calls, `limits`, `aiolimiter` and a log by hand.

As in `hot_path.py`: short rounds, all cases interleaved in one process, the minimum of the rounds
less the empty loop. Awaits are measured inside one coroutine of a running event loop; nothing waits.

Run: python benches/python/limiter.py [--check] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import inspect
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import aiolimiter
import limits
from memory import resident

import outlay
from outlay._core import EmptyMethods

CALLS = 2_000  # short, so that a busy neighbour leaves some rounds alone
FEW = 100  # calls of what takes microseconds
PLENTY = 1 << 60
MINUTE = 60.0
EMPTY, TWO_EMPTY = "empty PyO3 method", "two empty PyO3 methods"
NOTHING = "await a coroutine that does nothing"
LIMITS = "limits, moving window: hit"
FEW_EVENTS, MANY_EVENTS, LIMITS_EVENTS = 1_000, 1_000_000, 100_000


class LockedLog:
    """What a user would write by hand: a log of what was used, a lock."""

    def __init__(self, total: int, period: float) -> None:
        self.total, self.period = total, period
        self.used = 0
        self.log: deque[tuple[float, int]] = deque()
        self.lock = threading.Lock()

    def hit(self, tokens: int) -> bool:
        with self.lock:
            now = time.monotonic()
            while self.log and self.log[0][0] <= now - self.period:
                self.used -= self.log.popleft()[1]
            if self.used + tokens > self.total:
                return False
            self.log.append((now, tokens))
            self.used += tokens
            return True


class LimitsWindow:
    """The moving window of `limits` with so many events in it. It keeps one entry for each token."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.item = limits.RateLimitItemPerHour(PLENTY)
        self.storage = limits.storage.MemoryStorage()
        self.limiter = limits.strategies.MovingWindowRateLimiter(self.storage)
        for _ in range(events):
            self.limiter.hit(self.item, "a")

    def hit(self, tokens: int) -> bool:
        return self.limiter.hit(self.item, "a", cost=tokens)

    def prepare(self) -> None:
        """Forget what the last round has added; one hit starts the thread that its storage has."""
        log = self.storage.events[self.item.key_for("a")]
        del log[: len(log) - self.events]
        self.hit(1)


def logged(events: int) -> LockedLog:
    """Return a log by hand with so many events."""
    log = LockedLog(PLENTY, MINUTE)
    for _ in range(events):
        log.hit(10)
    return log


@dataclass
class Case:
    """One line of the table: a loop of ``calls`` operations, and what it is compared with."""

    name: str
    loop: Callable[[], object]
    floor: str | None = None
    rival: str | None = None
    calls: int = CALLS
    prepare: Callable[[], object] = bool  # by default nothing
    best: float = float("inf")


def filled(events: int, count: int = 1) -> list[outlay.RateLimiter]:
    """Return ``count`` limiters with so many events each, spread over the whole window."""
    clock = outlay.ManualClock()
    made = [outlay.RateLimiter(PLENTY, clock=clock) for _ in range(count)]
    for _ in range(events):
        for limiter in made:
            limiter.record_usage(10)
        clock.advance(MINUTE / events)
    return made


def floors() -> list[Case]:
    """Make the empty loop and empty calls: what cannot be saved."""
    empty = EmptyMethods()

    def loop() -> None:
        for _ in range(CALLS):
            pass

    def one() -> None:
        for _ in range(CALLS):
            empty.record_usage(10)

    def two() -> None:
        for _ in range(CALLS):
            empty.record_usage(10)
            empty.record_usage(10)

    async def nothing() -> None:
        pass

    async def call(tokens: int) -> None:
        empty.record_usage(tokens)

    async def await_nothing() -> None:
        for _ in range(CALLS):
            await nothing()

    async def await_call() -> None:
        for _ in range(CALLS):
            await call(10)

    return [
        Case("loop", loop),
        Case(EMPTY, one),
        Case(TWO_EMPTY, two),
        Case(NOTHING, await_nothing),
        Case("await a coroutine with an empty PyO3 call", await_call, floor=NOTHING),
    ]


def rivals() -> list[Case]:
    """Ask the same of other libraries, and of a log that is written by hand."""
    few, many = LimitsWindow(FEW_EVENTS), LimitsWindow(LIMITS_EVENTS)

    def by_hand() -> None:
        log = LockedLog(PLENTY, MINUTE)
        for _ in range(CALLS):
            log.hit(10)

    def few_events() -> None:
        for _ in range(FEW):
            few.hit(10)

    def many_events() -> None:
        for _ in range(FEW):
            many.hit(10)

    leaky = aiolimiter.AsyncLimiter(PLENTY, MINUTE)

    async def await_leaky() -> None:
        for _ in range(CALLS):
            await leaky.acquire(10)

    return [
        Case("hand-written log: hit(10)", by_hand, floor=EMPTY),
        Case(f"{LIMITS}(10), 1,000 events", few_events, EMPTY, calls=FEW, prepare=few.prepare),
        Case(f"{LIMITS}(10), 100,000 events", many_events, EMPTY, calls=FEW, prepare=many.prepare),
        Case("aiolimiter: await acquire(10)", await_leaky, floor=NOTHING),
    ]


def calls() -> list[Case]:
    """Ask and record, in one thread."""
    limiter = outlay.RateLimiter(PLENTY)

    def try_advice() -> None:
        for _ in range(CALLS):
            limiter.try_acquire()

    def try_acquire() -> None:
        fresh = outlay.RateLimiter(PLENTY)
        for _ in range(CALLS):
            fresh.try_acquire(10)

    def record() -> None:
        for _ in range(CALLS):
            limiter.record_usage(10)

    def pair() -> None:
        for _ in range(CALLS):
            limiter.try_acquire(10)
            limiter.record_usage(10)

    def lease() -> None:
        for _ in range(CALLS):
            limiter.reserve(10).commit(10)

    rival = f"{LIMITS}(10), 1,000 events"
    return [
        Case("try_acquire()", try_advice, EMPTY, rival),
        Case("try_acquire(10), never recorded", try_acquire, EMPTY, rival),
        Case("record_usage(10)", record, EMPTY, rival),
        Case("try_acquire(10) + record_usage(10)", pair, TWO_EMPTY, rival),
        Case("reserve(10) + commit(10)", lease, TWO_EMPTY, rival),
    ]


def windows() -> list[Case]:
    """Ask and record where little and where much is in the window."""

    def pair(events: int) -> Case:
        [limiter] = filled(events)

        def run() -> None:
            for _ in range(CALLS):
                limiter.try_acquire(10)
                limiter.record_usage(10)

        return Case(f"the same, {events:,} events in the window", run, TWO_EMPTY)

    return [pair(FEW_EVENTS), pair(MANY_EVENTS)]


def refusals() -> list[Case]:
    """Refuse, as a bool and as an exception."""
    spent = outlay.RateLimiter.per(1000, 86_400)
    spent.record_usage(1000)
    refusal = outlay.RateLimitExceeded

    def refused_try() -> None:
        for _ in range(CALLS):
            spent.try_acquire(10)

    def refused() -> None:
        for _ in range(CALLS):
            try:  # noqa: SIM105 (what is measured)
                spent.reserve(10)
            except refusal:
                pass

    return [
        Case("refused try_acquire(10)", refused_try, EMPTY),
        Case("refused reserve(10), raised and caught", refused, EMPTY),
    ]


def awaits() -> list[Case]:
    """Ask as a coroutine; there is room, so that nothing waits."""
    limiter = outlay.RateLimiter(PLENTY)

    async def advice() -> None:
        for _ in range(CALLS):
            await limiter.acquire_slot()

    async def acquire() -> None:
        fresh = outlay.RateLimiter(PLENTY)
        for _ in range(CALLS):
            await fresh.acquire_slot(10)

    async def pair() -> None:
        for _ in range(CALLS):
            await limiter.acquire_slot(10)
            limiter.record_usage(10)

    async def lease() -> None:
        for _ in range(CALLS):
            (await limiter.reserve_wait(10)).commit(10)

    rival = "aiolimiter: await acquire(10)"
    return [
        Case("await acquire_slot()", advice, NOTHING, rival),
        Case("await acquire_slot(10), never recorded", acquire, NOTHING, rival),
        Case("await acquire_slot(10), record_usage(10)", pair, NOTHING, rival),
        Case("await reserve_wait(10), commit(10)", lease, NOTHING, rival),
    ]


async def measure(table: list[Case], rounds: int) -> dict[str, Case]:
    """Run all cases ``rounds`` times in turn; ``best`` is ns per operation above the loop."""
    for _ in range(rounds):
        for case in table:
            case.prepare()
            began = time.perf_counter_ns()
            running = case.loop()
            if inspect.iscoroutine(running):
                await running
            case.best = min(case.best, (time.perf_counter_ns() - began) / case.calls)
    loop = table[0].best
    for case in table[1:]:
        case.best -= loop
    return {case.name: case for case in table[1:]}


def problems(table: dict[str, Case]) -> list[str]:
    """Return what is slower than it has to be, in words."""
    found = []

    def at_most(name: str, floor: str, limit: float) -> None:
        ratio = table[name].best / table[floor].best
        if ratio > limit:
            found.append(f"{name} costs {ratio:.2f} x {floor}, at most {limit:.2f} is allowed")

    pair, leaky = "try_acquire(10) + record_usage(10)", "aiolimiter: await acquire(10)"
    at_most("await acquire_slot()", NOTHING, 3.5)
    at_most("await acquire_slot(10), never recorded", NOTHING, 4.0)
    at_most("await acquire_slot()", leaky, 0.7)
    at_most("await acquire_slot(10), record_usage(10)", leaky, 1.0)
    at_most(pair, TWO_EMPTY, 4.5)
    at_most(pair, "hand-written log: hit(10)", 1.0)
    at_most(pair, f"{LIMITS}(10), 1,000 events", 1 / 10)
    few, many = (f"the same, {events:,} events in the window" for events in (FEW_EVENTS, MANY_EVENTS))
    at_most(many, few, 1.15)
    return found


def memory() -> list[str]:
    """Measure by how much the resident memory grows, in words."""
    sizes = [
        ("a limiter with no event in its window", 10_000, lambda count: filled(0, count)),
        ("a limiter with 1,000 events", 1_000, lambda count: filled(FEW_EVENTS, count)),
        ("a limiter with 1,000,000 events", 10, lambda count: filled(MANY_EVENTS, count)),
        ("an event in the log by hand", 100_000, logged),
        ("a token in the moving window of limits", 10_000, LimitsWindow),
    ]
    kept: list[object] = []  # what was freed would be used again, and not grow
    return [f"{name}: {growth(make, count, kept):,.0f} bytes" for name, count, make in sizes]


def growth(make: Callable[[int], object], count: int, kept: list[object]) -> float:
    """Return by how many bytes each of ``count`` parts makes the resident memory grow."""
    gc.collect()
    before = resident()
    kept.append(make(count))
    return (resident() - before) / count


def show(table: dict[str, Case]) -> None:
    """Print the table in Markdown."""
    print("| operation | ns | to its empty call | to its rival |")
    print("| --- | ---: | ---: | ---: |")
    for case in table.values():
        floor = f"{case.best / table[case.floor].best:.2f}" if case.floor else ""
        rival = f"{case.best / table[case.rival].best:.3f}" if case.rival else ""
        print(f"| {case.name} | {case.best:,.0f} | {floor} | {rival} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a floor is missed")
    options = parser.parse_args()
    print("\n".join(memory()))
    cases = [*floors(), *rivals(), *calls(), *windows(), *refusals(), *awaits()]
    table = asyncio.run(measure(cases, options.rounds))
    show(table)
    found = problems(table)
    for problem in found:
        print("missed:", problem)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
