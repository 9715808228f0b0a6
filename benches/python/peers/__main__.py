"""Measure outlay beside its peers, in one process, and print the tables in Markdown.

Every call is proven before it is timed: with room for three calls it must admit three and refuse the fourth.

Run: make bench-peers, or PYTHONPATH=python:benches/python python -m peers [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys

from . import report
from .case import Case, Crowd
from .correctness import admitted_by_threads, calls_in_flight
from .installed import find
from .measure import measure

SMALL = 20  # fewer rounds only show that everything runs: the threads' part is made small too


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=301)
    options = parser.parse_args()
    peers = find()
    for name, reason in peers.left_out.items():
        print(f"LEFT OUT: {name}: {reason}", file=sys.stderr)
    cases: list[Case] = [case for adapter in peers.adapters for case in adapter.CASES]
    crowds: list[Crowd] = [crowd for adapter in peers.adapters for crowd in adapter.CROWDS]
    gc.collect()
    gc.freeze()  # a call does not pay for the modules of the others; what it leaves behind is collected
    limit, runs = (200, 1) if options.rounds < SMALL else (2_000, 10)

    async def timed():
        table = await measure(cases, options.rounds)
        return table, {crowd.name: (crowd.does, await calls_in_flight(crowd)) for crowd in crowds}

    table, made = asyncio.run(timed())
    admitted = {
        case.name: [admitted_by_threads(case, limit) for _ in range(runs)] for case in cases if case.threads
    }
    for part in (
        report.heading(peers, options.rounds),
        report.timings(table),
        report.in_flight(made),
        report.threads(limit, admitted),
    ):
        print("\n".join(part))
    found = report.wrong(made, limit, admitted)
    for problem in found:
        print("wrong:", problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
