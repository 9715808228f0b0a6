"""The process that measures one group, started by `process.py`: child.py FD GROUP ROUNDS TOLERANT."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from process import NOT_INSTALLED
from timing import group_of, measure


def main(pipe: int, name: str, rounds: int, tolerant: bool) -> int:
    try:
        group = group_of(name)
    except ImportError as missing:
        os.write(pipe, str(missing).encode())
        return NOT_INSTALLED
    found, left_out = measure(group.cases, rounds, tolerant=tolerant)
    figures = {case: asdict(figure) for case, figure in found.items()}
    result = {"title": group.title, "figures": figures, "missing": left_out}
    with os.fdopen(pipe, "w") as out:
        json.dump(result, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"))
