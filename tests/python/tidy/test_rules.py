"""The rules of the house hold but for what stands on their lists, and a list may only become shorter."""

from __future__ import annotations

import pytest
import ratchet
from ratchet import COMMAND, LISTS, differences, growth, listed, shrink
from shrink import found

FOUND = found()


@pytest.mark.parametrize("rule", sorted(FOUND))
def test_nothing_breaks_a_rule_but_what_is_listed(rule):
    assert differences(listed(rule), FOUND[rule]) == [], f"{rule}: {COMMAND}"


def test_every_list_belongs_to_a_rule():
    assert {path.stem for path in LISTS.glob("*.txt")} == set(FOUND)


def test_a_list_may_only_shrink(tmp_path, monkeypatch):
    monkeypatch.setattr(ratchet, "LISTS", tmp_path)
    assert shrink("rule", {"a": 2, "b": 1}, moved=False) == []
    assert differences(listed("rule"), {"a": 2, "b": 1}) == []
    assert len(differences(listed("rule"), {"a": 3, "b": 1})) == 1
    assert len(differences(listed("rule"), {"a": 1, "b": 1})) == 1
    assert len(differences(listed("rule"), {"a": 2, "b": 1, "c": 1})) == 1
    assert len(shrink("rule", {"c": 1}, moved=False)) == 1
    assert listed("rule") == {"a": 2, "b": 1}
    assert shrink("rule", {"a": 1}, moved=False) == []
    assert listed("rule") == {"a": 1}


def test_what_moves_keeps_its_sum():
    before = {"a": 2, "b": 1}
    assert growth(before, {"x/c": 3}, moved=True) == []
    assert len(growth(before, {"x/c": 4}, moved=True)) == 1
