"""Time cases side by side: one process, short chunks, in turn, so that a busy neighbour slows all alike.

A chunk takes about 200 microseconds: a longer one is nearly always interrupted on a busy machine. The figure
of a case is the minimum of its chunks, less the empty loop; `median` tells what a machine like this does.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

CHUNK_NS = 200_000
PLENTY = 1 << 60
LOOP, EMPTY = "the empty loop", "empty PyO3 method `(&str, i64)`"

# Runs an operation so many times; a coroutine function where the operation is awaited.
Loop = Callable[[int], Any]


@dataclass
class Case:
    """One line of a table.

    ``beside`` names another case of the group to divide by; ``less`` one to subtract, such as the client that
    is not wrapped.
    """

    name: str
    make: Callable[[], Loop]
    beside: str | None = None
    less: str | None = None


@dataclass
class Group:
    """The cases of one process."""

    title: str
    cases: list[Case] = field(default_factory=list)

    def case(self, name: str, **more: str) -> Callable[[Callable[[], Loop]], Callable[[], Loop]]:
        """Add a function that makes what is needed and returns the loop."""

        def add(make: Callable[[], Loop]) -> Callable[[], Loop]:
            self.cases.append(Case(name, make, **more))
            return make

        return add


@dataclass
class Figure:
    """Nanoseconds of one operation, the loop subtracted, and the ratios to others of the same run."""

    best: float
    median: float
    ratio: float  # to the empty method
    beside: float | None = None
    without: float | None = None  # of a case with ``less``: the whole, before it was subtracted


def group_of(name: str) -> Group:
    """Return the group of a module in `cases`; ImportError where its host is not installed."""
    return importlib.import_module(f"cases.{name}").GROUP


class Running:
    """A case that was made, and what each of its chunks took."""

    def __init__(self, case: Case, runner: asyncio.Runner) -> None:
        self.case = case
        self.loop = case.make()
        self.runner = runner
        self.awaited = asyncio.iscoroutinefunction(self.loop)
        self.took: list[float] = []
        self.count = 1
        while self.chunk() < CHUNK_NS / 2 and self.count < 1 << 16:
            self.count *= 2

    def settle(self) -> None:
        """Set the size of a chunk anew: the first ones were slow, as all code is at first."""
        took = min(self.chunk(), self.chunk())
        self.count = max(1, self.count * CHUNK_NS // took)

    def chunk(self) -> int:
        """Return the nanoseconds of one chunk."""
        if self.awaited:
            return self.runner.run(self._awaited())
        began = time.perf_counter_ns()
        self.loop(self.count)
        return time.perf_counter_ns() - began

    async def _awaited(self) -> int:
        began = time.perf_counter_ns()
        await self.loop(self.count)
        return time.perf_counter_ns() - began


def measure(cases: Iterable[Case], rounds: int, *, tolerant: bool = False) -> tuple[dict, dict[str, str]]:
    """Run all cases ``rounds`` times in turn; return a figure for each, and why the others are missing.

    Tolerant, a case that an older build cannot run is left out.
    """
    running: list[Running] = []
    missing: dict[str, str] = {}
    with asyncio.Runner() as runner:
        for case in cases:
            try:
                running.append(Running(case, runner))
            except (AttributeError, TypeError, ImportError) as error:
                if not tolerant:
                    raise
                missing[case.name] = f"{type(error).__name__}: {error}"
        gc.collect()
        gc.freeze()  # what was made for the cases is not looked at again
        for one in running:
            one.settle()
        for number in range(rounds):
            turn = number % len(running)
            for one in running[turn:] + running[:turn]:
                one.took.append(one.chunk() / one.count)
    return figures(running), missing


def figures(running: list[Running]) -> dict[str, Figure]:
    """Subtract the loop and what a case names, and divide."""
    best = {one.case.name: min(one.took) for one in running}
    median = {one.case.name: statistics.median(one.took) for one in running}
    loop, empty = best[LOOP], best[EMPTY] - best[LOOP]
    found: dict[str, Figure] = {}
    for one in running:
        case = one.case
        if case.name == LOOP or (case.less and case.less not in best):
            continue
        whole = best[case.name] - loop
        less = (best[case.less], median[case.less]) if case.less else (loop, loop)
        figure = Figure(best[case.name] - less[0], median[case.name] - less[1], 0.0)
        figure.ratio = figure.best / empty
        figure.without = whole if case.less else None
        if case.beside in best:
            figure.beside = figure.best / (best[case.beside] - loop)
        found[case.name] = figure
    return found
