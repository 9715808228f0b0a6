"""Time every case in one process, in short chunks that take turns: a busy machine slows all of them alike."""

from __future__ import annotations

import inspect
import random
import statistics
import time
from dataclasses import dataclass, field

from . import floor
from .case import AWAIT, PLENTY, REFUSED, Case, Made
from .proof import ROOM, prove

CHUNK, LONGEST = 200e-6, 10e-3  # seconds; a longer chunk is nearly always interrupted on a busy machine
FEWEST, MOST = 100, 20_000  # calls in a chunk; fewer would be cold


@dataclass(eq=False)
class Row:
    """A loop, the number of calls of a chunk, and what a call took in each round, in ns."""

    made: Made
    calls: int
    times: list[float] = field(default_factory=list)

    async def time(self) -> float:
        """Make a chunk of calls and return the seconds it took, after a few calls that are not timed."""
        self.made.reset()
        await self.run(1 + self.calls // 10)
        began = time.perf_counter_ns()
        await self.run(self.calls)
        return (time.perf_counter_ns() - began) / 1e9

    async def run(self, calls: int) -> None:
        """Make that many calls."""
        running = self.made.loop(calls)
        if inspect.iscoroutine(running):
            await running


@dataclass
class Table:
    """All rows of one run: the loop, the two empty calls, and every case."""

    loop: Row
    call: Row
    ready: Row
    cases: dict[Case, Row]

    def floor_of(self, case: Case) -> Row:
        """Return the empty call that a case is compared with."""
        return self.ready if case.group == AWAIT else self.call

    def net(self, row: Row) -> list[float]:
        """Return the times of a row less the loop around the calls."""
        loop = statistics.median(self.loop.times)
        return [took - loop for took in row.times]

    def least(self, row: Row) -> float:
        """Return the minimum of the rounds, in ns."""
        return min(row.times) - min(self.loop.times)

    def median(self, row: Row) -> float:
        """Return the median of the rounds, in ns."""
        return statistics.median(self.net(row))

    def ratio(self, row: Row, other: Row) -> float:
        """Return the median of the ratios of the rounds: how many times the other's time it takes."""
        pairs = zip(self.net(row), self.net(other), strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def exhausted(made: Made) -> Made:
    """Use up the room after each reset, so that every timed call is refused. No refused case is async."""

    def reset() -> None:
        made.reset()
        made.loop(ROOM)

    return Made(made.loop, reset)


async def row_of(made: Made) -> Row:
    """Choose the number of calls in a chunk: as many as its time allows, but not too few."""
    row = Row(made, 1)
    for most in (10, FEWEST, MOST):
        each = min([await row.time() for _ in range(5)]) / row.calls
        fewest = min(FEWEST, round(LONGEST / each))
        row.calls = max(1, min(most, max(fewest, round(CHUNK / each))))
    return row


async def measure(cases: list[Case], rounds: int) -> Table:
    """Prove all cases, then run a chunk of each in every round, each round in another order."""
    rows = {}
    for case in cases:
        spent = await prove(case)
        rows[case] = await row_of(exhausted(spent) if case.group == REFUSED else case.make(PLENTY))
    floors = [await row_of(Made(loop)) for loop in (floor.empty_loop, floor.empty_call, floor.empty_await)]
    table = Table(floors[0], floors[1], floors[2], rows)
    order = [*floors, *rows.values()]
    shuffled = random.Random(rounds)
    for _ in range(rounds):
        shuffled.shuffle(order)
        for row in order:
            row.times.append(await row.time() / row.calls * 1e9)
    return table
