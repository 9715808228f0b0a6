"""Every Python block of the README runs as it stands."""

import json
import re
from pathlib import Path

import pytest
from page_support import Ran, run_pages

README = Path(__file__).parents[3] / "README.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
POLICY = next(text for language, text in BLOCKS if language == "toml")
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    """Return what became of each Python block, beside the policy of the page."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    return run_pages({"README": PYTHON}, folder, "-W", "error::ResourceWarning")["README"]


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_block_runs(ran: list[Ran], number: int) -> None:
    ran[number].check()


def test_first_example_prints_the_json_that_is_shown(ran: list[Ran]) -> None:
    shown = next(text for language, text in BLOCKS if language == "json")
    shown_value, printed_value = json.loads(shown), json.loads(ran[0].printed)
    for value in (shown_value, printed_value):
        # The seconds that are left depend on when it runs.
        assert 3500 < value.pop("retry_after_seconds") <= 3600
        assert 3500 < value["details"].pop("resets_in_seconds") <= 3600
    assert printed_value == shown_value


def test_the_policy_refuses_with_the_json_that_is_shown(ran: list[Ran]) -> None:
    pytest.importorskip("openai")
    shown = json.loads([text for language, text in BLOCKS if language == "json"][1])
    printed = json.loads(ran[next(i for i, text in enumerate(PYTHON) if "from_toml" in text)].printed)
    for value in (shown, printed):
        # The seconds that are left of the day depend on when it runs.
        assert 0 < value["details"].pop("resets_in_seconds") <= 86_400
    assert printed == shown


def test_opens_with_two_set_up_commands() -> None:
    shell = [text for language, text in BLOCKS if language == "sh"]
    commands = [line.split("#")[0].strip() for line in shell[0].splitlines()]
    assert commands == ["make demo", "make test"]
