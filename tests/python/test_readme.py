"""Every Python block of the README runs as it stands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outlay

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
POLICY = next(text for language, text in BLOCKS if language == "toml")
PYTHON = [text for language, text in BLOCKS if language == "python"]
MISSING = re.compile(
    r"^(ImportError: outlay\..* needs .*|ModuleNotFoundError: (?!.*'outlay).*)$", re.MULTILINE
)
# The package that is tested, from whatever folder a block runs in.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(outlay.__file__).parents[1])}


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_block_runs(block: str, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", block],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    if missing := MISSING.search(done.stderr):
        pytest.skip(missing[0])
    assert done.returncode == 0, done.stderr


def test_first_example_prints_the_json_that_is_shown() -> None:
    shown = next(text for language, text in BLOCKS if language == "json")
    command = [sys.executable, "-c", PYTHON[0]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    shown_value, printed_value = json.loads(shown), json.loads(printed.stdout)
    for value in (shown_value, printed_value):
        # The seconds that are left depend on when it runs.
        assert 3500 < value.pop("retry_after_seconds") <= 3600
        assert 3500 < value["details"].pop("resets_in_seconds") <= 3600
    assert printed_value == shown_value


def test_the_policy_refuses_with_the_json_that_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    shown = json.loads([text for language, text in BLOCKS if language == "json"][1])
    block = next(text for text in PYTHON if "from_toml" in text)
    command = [sys.executable, "-c", block]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=ENVIRONMENT)
    printed = json.loads(done.stdout)
    for value in (shown, printed):
        # The seconds that are left of the day depend on when it runs.
        assert 0 < value["details"].pop("resets_in_seconds") <= 86_400
    assert printed == shown


def test_opens_with_two_set_up_commands() -> None:
    shell = [text for language, text in BLOCKS if language == "sh"]
    commands = [line.split("#")[0].strip() for line in shell[0].splitlines()]
    assert commands == ["make demo", "make test"]
