"""Run a program under callgrind, and take the sums of its parts.

The program calls a function that callgrind watches: at each call it writes down what was spent since then.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def counts(command: list[str], mark: str, package: Path | None = None) -> dict[str, float]:
    """Return the instructions of one operation of each case.

    The program writes their names to the file that is its last argument, and how many operations the second
    part of each has more than the first.
    """
    with tempfile.TemporaryDirectory() as made:
        out, names = Path(made) / "out", Path(made) / "names"
        tool = ["valgrind", "--quiet", "--tool=callgrind"]
        tool += [f"--callgrind-out-file={out}", f"--dump-before={mark}"]
        # The same addresses in each run, where the system can do that; the same hashes in each.
        fixed = ["setarch", platform.machine(), "--addr-no-randomize"] if shutil.which("setarch") else []
        env = {**os.environ, "PYTHONHASHSEED": "0"} | ({"PYTHONPATH": str(package)} if package else {})
        subprocess.run([*fixed, *tool, *command, str(names)], env=env, check=True, stdout=sys.stderr)
        found = {}
        for number, line in enumerate(names.read_text().splitlines()):
            more, name = line.split("\t")
            few, many = (total(Path(f"{out}.{3 * number + part}")) for part in (2, 3))
            found[name] = (many - few) / int(more)
        return found


def total(dump: Path) -> int:
    """Return the sum of a part."""
    with dump.open() as lines:
        for line in lines:
            if line.startswith("totals:"):
                return int(line.split()[1])
    raise RuntimeError(f"{dump} has no sum")
