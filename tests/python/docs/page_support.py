"""Runs the Python blocks of pages: all in one interpreter of their own, each as a reader would run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import outlay

#: What a block says whose package is not installed here.
MISSING = re.compile(
    r"^(ImportError: outlay\..* needs .*|ModuleNotFoundError: (?!.*'outlay).*)$", re.MULTILINE
)
# A block may go on where the one before it ended; one that cannot is run alone.
RUNNER = """
import contextlib, io, json, sys, traceback
def run(block, names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "<block>", "exec", dont_inherit=True), names)
    return printed.getvalue()
def told(block, names):
    error = ""
    for space in (names, {"__name__": "__main__"}):
        try:
            return {"printed": run(block, space), "error": ""}
        except BaseException:
            error = traceback.format_exc()
    return {"printed": "", "error": error}
def page(blocks):
    names = {"__name__": "__main__"}
    return [told(block, names) for block in blocks]
done = {name: page(blocks) for name, blocks in json.load(sys.stdin).items()}
with open(sys.argv[1], "w") as file:
    json.dump(done, file)
"""


@dataclass(frozen=True)
class Ran:
    """What a block has printed, and how it failed: "" where it ran."""

    printed: str
    error: str

    def check(self) -> None:
        """Fail as the block did; skip where its package is missing."""
        if missing := MISSING.search(self.error):
            pytest.skip(missing[0])
        assert not self.error, self.error


def python_blocks(page: Path) -> list[str]:
    """Return the Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def run_pages(pages: Mapping[str, Sequence[str]], folder: Path, *options: str) -> dict[str, list[Ran]]:
    """Run the blocks of each page in a folder, one after the other, with options of the interpreter."""
    told = folder / "told.json"
    done = subprocess.run(
        [sys.executable, *options, "-c", RUNNER, told],
        input=json.dumps(pages),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(outlay.__file__).parents[1])},
    )
    assert (done.returncode, told.exists()) == (0, True), done.stderr
    read = json.loads(told.read_text(encoding="utf-8"))
    return {name: [Ran(**one) for one in blocks] for name, blocks in read.items()}
