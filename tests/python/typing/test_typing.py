"""The types of the public API are what its users see: mypy --strict checks programs/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")


def test_the_typed_uses_of_the_api_pass_mypy_strict():
    """And every error that must be there is there."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "mypy", "--strict", "tests/python/typing/programs"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
