"""docs/words.md has a line for every public word, and none for a word that is avoided."""

from __future__ import annotations

from collections import Counter

from prose import BANNED
from ratchet import ROOT
from words import PAGE, methods, read, without_a_line

import outlay

WORDS = read(PAGE.read_text(encoding="utf-8"))


def test_every_public_word_has_a_line():
    assert without_a_line(WORDS) == []


def test_a_word_without_a_line_is_found():
    poorer = WORDS._replace(terms=[term for term in WORDS.terms if term != "reserve"])
    names = {name for name in WORDS.names if not name.startswith("reserve") and name != "Guard"}
    found = without_a_line(poorer._replace(names=names))
    assert {"Guard", "Guard.reserve", "SharedPool.reserve_wait"} <= set(found)


def test_methods_are_those_of_the_package():
    assert "to_llm_message" in methods(outlay.BudgetExceeded)
    assert "with_traceback" not in methods(outlay.BudgetExceeded)


def test_a_word_has_one_line():
    assert [term for term, count in Counter(WORDS.terms).items() if count > 1] == []


def test_no_banned_word_is_a_term_and_each_has_its_line():
    assert not {*BANNED, *WORDS.avoided} & set(WORDS.terms)
    assert set(BANNED) <= WORDS.avoided


def test_the_files_on_the_page_are_there():
    paths = [name for name in WORDS.names if name.startswith(("src/", "python/"))]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / f"{path}.rs").exists()] == []
