"""The Python process that is counted: counted.py GROUP[,GROUP...] SMALL FILE.

Before each part it calls `os.getloadavg`, whose function in the C library nobody else calls.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from timing import Case, Loop, group_of

# What takes longer to prepare than to count.
TOO_LARGE = ("10,000", "1,000,000")
SHARE = {"functions": 10, "wraps": 50}  # how many times less often what takes long is run


def counted(loop: Loop, few: int, many: int, runner: asyncio.Runner) -> None:
    """Run a case few times and many times, each after a mark."""
    awaited = asyncio.iscoroutinefunction(loop)

    def run(count: int) -> None:
        if awaited:
            runner.run(loop(count))
        else:
            loop(count)

    run(few)
    run(few)
    gc.collect()
    gc.disable()  # when it runs depends on what was made before
    os.getloadavg()
    run(few)
    os.getloadavg()
    run(many)
    os.getloadavg()
    gc.enable()


def main(groups: list[str], small: int, names: Path) -> int:
    lines: list[str] = []
    with asyncio.Runner() as runner:
        for group in groups:
            share = small * SHARE.get(group.split(".")[0], 1)
            few, many = max(100 // share, 2), max(1_100 // share, 4)
            for case in chosen(group):
                counted(case.make(), few, many, runner)
                lines.append(f"{many - few}\t{group}: {case.name}\n")
    names.write_text("".join(lines))
    return 0


def chosen(group: str) -> list[Case]:
    """Return the cases of a group that are counted."""
    return [case for case in group_of(group).cases if not any(size in case.name for size in TOO_LARGE)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].split(","), int(sys.argv[2]), Path(sys.argv[3])))
