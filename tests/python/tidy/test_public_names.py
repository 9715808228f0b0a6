"""The importable names are those of the page: a redesign inside changes no name and no signature."""

from __future__ import annotations

import pytest
from public_names import PAGE, STUBS, modules, section, sections

import outlay

COMMAND = "run: python tests/python/tidy/public_names.py"


def test_the_page_has_every_public_module():
    assert list(sections()) == modules(), COMMAND


@pytest.mark.parametrize("name", modules())
def test_the_names_of_a_module_are_those_of_the_page(name):
    try:
        found = section(name)
    except ImportError as missing:
        pytest.skip(f"{name} is not compared: {missing}")
    assert found == sections()[name], f"{PAGE.name}: {COMMAND}"


def test_a_lost_name_and_another_signature_are_seen(monkeypatch):
    before = section("outlay")
    rest = [name for name in outlay.__all__ if name != "usd"]
    monkeypatch.setattr(outlay, "__all__", rest)
    now = section("outlay")
    lost = [line for line in before if line not in now]
    assert [line.split("(")[0] for line in lost] == ["def usd"]

    async def usd(amount: str, places: int = 6) -> int:
        return 0

    monkeypatch.undo()
    monkeypatch.setattr(outlay, "usd", usd)
    monkeypatch.delitem(STUBS, "usd")
    changed = [line for line in section("outlay") if line not in before]
    assert changed == ["async def usd(amount: str, places: int=6) -> int"]
