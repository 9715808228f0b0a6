"""What outlay costs from Python, beside an empty call, the same by hand, and clients that are not wrapped.

Each group of cases runs in a process of its own. `--check` compares the ratios with `bounds.json`: a group
that misses one is measured once more, and only what misses it twice fails.

Run: python benches/python/run.py [GROUP ...] [--check] [--rounds N] [--others PYTHON] [--write-bounds]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bounds
from cases import GROUPS
from process import NotInstalledError, measured
from report import heading, table

ROUNDS = 200


def run_group(name: str, options: argparse.Namespace) -> dict | None:
    """Measure a group in a process of its own; None where neither this Python nor the other can."""
    here = Path(__file__).parent
    pythons = [sys.executable, *([options.others] if options.others else [])]
    for python in pythons:
        try:
            return measured(here, python, name, options.rounds, tolerant=False)
        except NotInstalledError as missing:
            print(f"LEFT OUT: {name}: {missing} ({python})", file=sys.stderr)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", default=GROUPS, metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound is missed twice")
    parser.add_argument(
        "--write-bounds", action="store_true", help="take the highest of three runs as the bounds"
    )
    parser.add_argument(
        "--others", help="the Python of the other environment, for what is not installed here"
    )
    options = parser.parse_args()
    print(heading(options.rounds))
    results: dict[str, dict] = {}
    for name in options.groups:
        result = run_group(name, options)
        if result is not None:
            results[name] = result
            print(table(result), flush=True)
    if options.write_bounds:
        more = [{name: run_group(name, options) for name in results} for _ in range(2)]
        bounds.write([*more, results])
    return bounds.check(results, lambda name: run_group(name, options)) if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
