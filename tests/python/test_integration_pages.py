"""Every Python block of the pages on integrations runs; one whose extra is missing is skipped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outlay

PAGES = sorted((Path(__file__).parents[2] / "docs" / "integrations").glob("*.md"))
MISSING = re.compile(
    r"^(ImportError: outlay\..* needs .*|ModuleNotFoundError: (?!.*'outlay).*)$", re.MULTILINE
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(outlay.__file__).parents[1])}


def _blocks():
    for page in PAGES:
        found = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for number, block in enumerate(found, start=1):
            # A block may go on where the one before it ended.
            yield pytest.param(found[: number - 1], block, id=f"{page.stem}-{number}")


@pytest.mark.parametrize(("before", "block"), list(_blocks()))
def test_block_runs(before, block, tmp_path):
    """Alone, or after those before it on the page."""
    for code in (block, "\n".join([*before, block])):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT)
        if done.returncode == 0:
            return
        if missing := MISSING.search(done.stderr):
            pytest.skip(missing[0])
    pytest.fail(done.stderr)
