"""The picture in the README shows what the demo prints today."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_the_picture_is_that_of_todays_demo():
    pytest.importorskip("langchain_openai")
    pytest.importorskip("rich")
    command = [sys.executable, ROOT / "docs" / "picture.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
