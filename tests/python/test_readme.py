"""Every Python block of the README runs as it stands."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_block_runs(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", block],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_first_example_prints_the_json_that_is_shown() -> None:
    shown = next(text for language, text in BLOCKS if language == "json")
    printed = subprocess.run([sys.executable, "-c", PYTHON[0]], capture_output=True, text=True, check=True)
    shown_value, printed_value = json.loads(shown), json.loads(printed.stdout)
    for value in (shown_value, printed_value):
        # The seconds that are left depend on when it runs.
        assert 3500 < value.pop("retry_after_seconds") <= 3600
        assert 3500 < value["details"].pop("resets_in_seconds") <= 3600
    assert printed_value == shown_value


def test_opens_with_two_set_up_commands() -> None:
    shell = [text for language, text in BLOCKS if language == "sh"]
    commands = [line.split("#")[0].strip() for line in shell[0].splitlines()]
    assert commands == ["make demo", "make test"]
