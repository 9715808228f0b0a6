"""The map has every room, and names none that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = ("src/accounting", "src/ledger", "src/store", "src/budgets", "src/py", "python/outlay")


def section(floor):
    """Return what the page says of a floor."""
    return re.split(r"^###? ", PAGE.split(f"### `{floor}/`")[1], maxsplit=1, flags=re.MULTILINE)[0]


def rooms(floor):
    """Return the rooms of a floor: its folders and its files."""
    paths = [path for path in (ROOT / floor).iterdir() if path.is_dir() or path.suffix in (".rs", ".py")]
    return {path.stem for path in paths} - {"mod", "__init__", "__main__", "__pycache__"}


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_is_on_the_map(floor):
    named = {name.removeprefix("outlay.") for name in re.findall(r"`([^`]+)`", section(floor))}
    assert rooms(floor) - named == set()


def test_the_map_names_no_room_that_is_not_there():
    paths = set(re.findall(r"`((?:src|python|tests|benches|docs)/[\w/.]+)`", PAGE))
    missing = [
        path for path in paths if not any((ROOT / f"{path}{end}").exists() for end in ("", ".rs", ".py"))
    ]
    assert len(paths) > 20
    assert missing == []
