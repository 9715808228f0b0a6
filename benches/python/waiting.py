"""What it costs to wait, on asyncio and on uvloop: work per waiter, punctuality, idle CPU, timers.

- release: capacity for all waiters is freed in one step, or for 500 at a time: leases of a pool, slots of a
  limiter. CPU time of the process from there until the last has resumed, by waiter; the best of five. Beside
  it the same for bare futures that somebody ends: what asyncio itself costs.
- wake-up: the limiter's own `retry_after` says when; how late a waiter resumes. Beside it how late the
  loop's bare timers are in the same minute: a busy machine makes both late, and that part is not checked.
- idle: CPU time of the process while all wait on 50 limiters for 3 seconds, and the loop's timers then.

`--check` allows so many times the bare futures of the same run, and so many milliseconds beside its timers. A
part that misses is measured once more, and fails if it misses again.

Run: python benches/python/waiting.py [--waiters N] [--check]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable

import outlay

try:
    import uvloop
except ImportError:
    uvloop = None

BATCH = 500
WINDOW = 0.2  # seconds, of the limiters whose waiters are timed
IDLE = 3.0  # seconds
RELEASE_MAX = 5.0  # times a bare future
WAKE_UP_MAX = 5.0  # milliseconds later than bare timers, the 99th of 100
IDLE_MAX = 0.01  # seconds of CPU
TIMERS_MAX = 1

Await = Callable[[], Awaitable[object]]


class Crowd:
    """Tasks that wait for the same; what each was given, and by how many milliseconds it was late."""

    def __init__(self, count: int, wait: Await) -> None:
        self.late: list[float] = []
        self.due = 0.0
        self.given: list[object] = []
        self.wait = wait
        self.tasks = [asyncio.create_task(self.one()) for _ in range(count)]

    async def one(self) -> None:
        given = await self.wait()
        if self.due:
            self.late.append((time.perf_counter() - self.due) * 1e3)
        self.given.append(given)

    async def settle(self) -> None:
        """Let all tasks get as far as they do."""
        for _ in range(3):
            await asyncio.sleep(0)

    async def resume(self, free: Callable[[], object], count: int) -> float:
        """Free capacity for the next `count`; microseconds of CPU by waiter until the last has resumed."""
        target = len(self.given) + count
        began = time.process_time()
        free()
        while len(self.given) < target:
            await asyncio.sleep(0)
        return (time.process_time() - began) / count * 1e6


async def release_leases(waiters: int, batch: int) -> float:
    """Free a pool, `batch` tokens at a time."""
    pool = outlay.SharedPool(capacity_tokens=waiters)
    held = [pool.reserve(batch) for _ in range(waiters // batch)]
    crowd = Crowd(waiters, lambda: pool.reserve_wait(1))
    await crowd.settle()
    figures = [await crowd.resume(lease.release, batch) for lease in held]
    return sum(figures) / len(figures)


async def release_slots(waiters: int) -> float:
    """Let a window pass."""
    clock = outlay.ManualClock()
    limiter = outlay.RateLimiter(waiters, threshold=1.0, clock=clock)
    limiter.record_usage(waiters)
    crowd = Crowd(waiters, lambda: limiter.acquire_slot(1))
    await crowd.settle()
    return await crowd.resume(lambda: clock.advance(61), waiters)


async def release_bare(waiters: int) -> float:
    """End futures."""
    futures: list[asyncio.Future[None]] = []

    async def bare() -> None:
        futures.append(asyncio.get_running_loop().create_future())
        await futures[-1]

    crowd = Crowd(waiters, bare)
    await crowd.settle()
    return await crowd.resume(lambda: [future.set_result(None) for future in futures], waiters)


async def wake_up(batch: int) -> list[float]:
    """Wait for the edge of a window; by how many milliseconds each was late."""
    limiter = outlay.RateLimiter.per(BATCH, WINDOW, threshold=1.0)
    limiter.record_usage(BATCH)
    due = time.perf_counter() + limiter.retry_after(1)
    crowd = Crowd(batch, lambda: limiter.acquire_slot(1))
    crowd.due = due
    await asyncio.wait(crowd.tasks)
    return crowd.late


async def bare_timers(count: int) -> list[float]:
    """Wait as long for timers of the loop; by how many milliseconds each was late."""

    async def one(number: int) -> float:
        seconds = WINDOW + number * 0.007
        due = time.perf_counter() + seconds
        await asyncio.sleep(seconds)
        return (time.perf_counter() - due) * 1e3

    return await asyncio.gather(*map(one, range(count)))


async def idle(waiters: int) -> tuple[float, int]:
    """Wait on 50 limiters; the CPU time of `IDLE` seconds, and the timers."""
    limiters = [outlay.RateLimiter(1) for _ in range(50)]
    for limiter in limiters:
        limiter.record_usage(1)
    turns = iter(range(waiters))
    crowd = Crowd(waiters, lambda: limiters[next(turns) % 50].acquire_slot(1))
    await crowd.settle()
    timers = live_timers()
    began = time.process_time()
    await asyncio.sleep(IDLE)
    took = time.process_time() - began
    for task in crowd.tasks:
        task.cancel()
    await asyncio.wait(crowd.tasks)
    assert not crowd.given
    return took, timers


def live_timers() -> int:
    """Return how many timers there are that were not cancelled; those that have rung are gone."""
    kinds = (asyncio.TimerHandle, uvloop.loop.TimerHandle) if uvloop else (asyncio.TimerHandle,)
    return sum(type(thing) in kinds and not thing.cancelled() for thing in gc.get_objects())


def share(figures: list[float], part: float) -> float:
    """Return the figure that `part` of all do not exceed."""
    return sorted(figures)[int(part * (len(figures) - 1))]


Line = tuple[str, float, float | None]


def release_lines(run: Callable[..., float], options: argparse.Namespace) -> list[Line]:
    """Return the figures of the releases."""
    waiters = options.waiters
    batch = min(BATCH, waiters)
    cases = {
        "bare futures": lambda: release_bare(waiters),
        "leases, all at once": lambda: release_leases(waiters, waiters),
        f"leases, {batch} at a time": lambda: release_leases(waiters, batch),
        "slots, all at once": lambda: release_slots(waiters),
    }
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(5):
        for name, case in cases.items():
            best[name] = min(best[name], run(case()))
    bare = best["bare futures"]
    most = {name: None if name == "bare futures" else RELEASE_MAX * bare for name in cases}
    return [(f"release, {name}, us", figure, most[name]) for name, figure in best.items()]


def wake_up_lines(run: Callable[..., list[float]], options: argparse.Namespace) -> list[Line]:
    """Return the figures of the wake-ups."""
    waiters = options.waiters
    sizes = sorted({1, min(50, waiters), min(BATCH, waiters)})
    late: dict[int, list[list[float]]] = {size: [] for size in sizes}
    bare: list[float] = []
    for _ in range(options.rounds):
        bare += run(bare_timers(20))
        for size in sizes:
            late[size].append(run(wake_up(size)))
    lines: list[Line] = [("wake-up, bare timers, p50, ms", share(bare, 0.5), None)]
    lines.append(("wake-up, bare timers, p99, ms", share(bare, 0.99), None))
    most = WAKE_UP_MAX + share(bare, 0.99)
    for size, batches in late.items():
        figures = [figure for batch in batches for figure in batch]
        lines.append((f"wake-up, batches of {size}, p50, ms", share(figures, 0.5), None))
        lines.append((f"wake-up, batches of {size}, p99, ms", share(figures, 0.99), None))
        # The best batch: on a busy machine the others tell of the neighbours.
        best = min(share(batch, 0.99) for batch in batches)
        lines.append((f"wake-up, the best of {size}, p99, ms", best, most))
    return lines


def idle_lines(run: Callable[..., tuple[float, int]], options: argparse.Namespace) -> list[Line]:
    """Return the figures of the waiting itself."""
    took, timers = run(idle(options.waiters))
    return [(f"idle, CPU s in {IDLE:.0f} s", took, IDLE_MAX), ("idle, timers", float(timers), TIMERS_MAX)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--waiters", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10, help="wake-ups of each kind")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure is too high")
    options = parser.parse_args()
    missed = False
    for name, module in {"asyncio": asyncio, "uvloop": uvloop}.items():
        if module is None:
            print("uvloop is not installed: not measured")
            continue
        print(f"{name}, {options.waiters:,} waiters")
        with asyncio.Runner(loop_factory=module.new_event_loop) as runner:
            for part in (release_lines, wake_up_lines, idle_lines):
                late = show(part(runner.run, options))
                missed |= late and options.check and show(part(runner.run, options))
    return 1 if missed else 0


def show(lines: list[Line]) -> bool:
    """Print the figures of a part; say whether one of them is above what is allowed."""
    missed = False
    for line, figure, most in lines:
        late = most is not None and figure > most
        missed |= late
        allowed = "" if most is None else f"  (at most {most:.3g})"
        print(f"  {line:36} {figure:9.3f}{allowed}{'  missed' if late else ''}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
