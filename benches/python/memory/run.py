"""How many bytes one object of each class takes: fresh, charged, after a lease, after its windows are over.

For each class a fresh process; the figure is how far its resident memory has grown since before the first
object, by object, after what is free was given back to the system.

Run: python benches/python/memory/run.py [--count N] [--check] [--write-bounds] [--only CLASS]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

from classes import CLASSES
from resident import resident

import outlay

FILE = Path(__file__).with_name("bounds.json")
MARGIN, BESIDE = 1.10, 16  # bytes: a page more or less is not nothing where an object takes little
COUNT = 100_000
#: What a counter by label with one rule of two units may take at most, in bytes; it took 2,200 in 0.1.0.
MOST = {"Guard, a user of a budget": 900}


def measure(name: str, count: int) -> dict[str, float]:
    """Make so many, and return the bytes of each stage."""
    for _ in CLASSES[name](100, outlay.ManualClock()):
        resident()  # what is made once is made now
    before = resident()
    return {stage: (resident() - before) / count for stage in CLASSES[name](count, outlay.ManualClock())}


def problems(found: dict[str, dict[str, float]]) -> list[str]:
    """Return what takes more than it did, in words."""
    known = json.loads(FILE.read_text())
    problems_found = []
    for name, stages in found.items():
        for stage, figure in stages.items():
            bound = known.get(name, {}).get(stage)
            if bound is None:
                problems_found.append(f"{name}, {stage}: no bound is known; run with --write-bounds")
            elif figure > bound * MARGIN + BESIDE:
                problems_found.append(f"{name}, {stage}: {figure:,.0f} bytes, it took {bound:,.0f}")
            if figure > MOST.get(name, figure):
                problems_found.append(
                    f"{name}, {stage}: {figure:,.0f} bytes, at most {MOST[name]:,} are allowed"
                )
    return problems_found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", choices=CLASSES)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 above {MARGIN} x the bounds")
    parser.add_argument("--write-bounds", action="store_true", help="take what was measured as the bounds")
    options = parser.parse_args()
    names = [options.only] if options.only else list(CLASSES)
    found: dict[str, dict[str, float]] = {}
    context = multiprocessing.get_context("spawn")
    print(f"{options.count:,} of each\n\n| class | stage | bytes each |\n| --- | --- | ---: |")
    for name in names:
        with context.Pool(1) as process:
            found[name] = process.apply(measure, (name, options.count))
        for stage, figure in found[name].items():
            print(f"| {name} | {stage} | {figure:,.0f} |", flush=True)
    if options.write_bounds:
        known = {
            name: {stage: round(each) for stage, each in stages.items()} for name, stages in found.items()
        }
        FILE.write_text(json.dumps(known, indent=1) + "\n")
    problems_found = problems(found) if options.check else []
    for problem in problems_found:
        print("missed:", problem)
    return 1 if problems_found else 0


if __name__ == "__main__":
    sys.exit(main())
