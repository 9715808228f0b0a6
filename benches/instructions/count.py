"""Count the instructions of an operation by callgrind: a bound that no busy neighbour can move.

The cases are those of `benches/python/cases`, and those of `decisions.rs`, the core without Python. Each runs
a few times and then many times more; the difference, divided, is the figure. `bounds.json` tells what was
counted, and with which interpreter, compiler and C library: with others nothing is checked, and this is said.

Run: python benches/instructions/count.py [GROUP ...] [--check] [--write-bounds] [--small N]
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from callgrind import counts

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

import cases  # noqa: E402
from process import package  # noqa: E402
from report import interpreter  # noqa: E402

FILE = HERE / "bounds.json"
MARGIN = 1.03
RUST = "decisions"
# The groups of the core: those of the wraps run servers and SDKs.
GROUPS = [*(group for group in cases.GROUPS if not group.startswith("wraps.")), RUST]
PYTHON_MARK, RUST_MARK = "getloadavg", "*outlay_bench_mark*"
BUILD = ["cargo", "bench", "--quiet", "--bench", "instructions", "--no-run", "--message-format", "json"]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def made_with() -> dict[str, str]:
    """Return what instructions depend on beside the code: all of it is compared by name."""
    return {
        "python": interpreter(),
        "rustc": output("rustc", "--version"),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "valgrind": output("valgrind", "--version"),
    }


def binary() -> str:
    """Build the Rust cases; return the program."""
    built = subprocess.run(BUILD, cwd=HERE.parents[1], capture_output=True, text=True, check=True).stdout
    found = [json.loads(line).get("executable") for line in built.splitlines()]
    return next(path for path in reversed(found) if path)


def count(groups: list[str], small: int) -> dict[str, float]:
    """Count all cases of the groups."""
    found: dict[str, float] = {}
    of_python = [group for group in groups if group != RUST]
    if of_python:
        python = [sys.executable, str(HERE / "counted.py"), ",".join(of_python), str(small)]
        found |= counts(python, PYTHON_MARK, package())
    if RUST in groups:
        found |= counts([binary(), str(small)], RUST_MARK)
    return found


def problems(found: dict[str, float], known: dict[str, float]) -> list[str]:
    """Return the cases that need more than they did, in words."""
    problems_found = []
    for case, figure in found.items():
        bound = known.get(case)
        if bound is None:
            problems_found.append(f"{case}: no bound is known; run with --write-bounds")
        elif figure > bound * MARGIN:
            more = 100 * (figure / bound - 1)
            problems_found.append(f"{case}: {figure:,.0f} instructions, {more:.1f} % more than {bound:,.0f}")
    return problems_found


def write(found: dict[str, float]) -> None:
    """Take what was counted as the bounds; what was not keeps its own, if it was made with the same."""
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    kept = known.get("instructions", {}) if known.get("made_with") == made_with() else {}
    kept |= {case: round(figure) for case, figure in found.items()}
    FILE.write_text(json.dumps({"made_with": made_with(), "instructions": kept}, indent=1) + "\n")


def check(found: dict[str, float]) -> int:
    """Return 1 where a case needs more than its bound allows."""
    known = json.loads(FILE.read_text())
    here = made_with()
    for name, value in known["made_with"].items():
        if here[name] != value:
            print(f"NOT CHECKED: the bounds were taken with {name} {value!r}, here it is {here[name]!r}")
            return 0
    problems_found = problems(found, known["instructions"])
    for problem in problems_found:
        print("missed:", problem)
    if not problems_found:
        print("all bounds of instructions hold")
    return 1 if problems_found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", default=GROUPS, metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--check", action="store_true", help=f"exit with 1 above {MARGIN} x the bounds")
    parser.add_argument("--write-bounds", action="store_true", help="take what was counted as the bounds")
    parser.add_argument("--small", type=int, default=1, help="run each case so many times less often")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("NOT COUNTED: valgrind is not installed")
        return 0
    found = count(options.groups, options.small)
    print("| case | instructions |\n| --- | ---: |")
    for case, figure in found.items():
        print(f"| {case} | {figure:,.0f} |")
    if options.write_bounds:
        write(found)
    return check(found) if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
