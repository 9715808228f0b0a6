"""What docs/words.md says: its terms, where they are met, and the words that are avoided."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

from ratchet import ROOT

import outlay

PAGE = ROOT / "docs" / "words.md"
#: Where the words begin that are not used.
AVOIDED = "## Words that we avoid"


class Page(NamedTuple):
    """The terms, the names of code beside them, and the words that are avoided everywhere."""

    terms: list[str]
    names: set[str]
    avoided: set[str]


def read(text: str) -> Page:
    """Read the tables of the page."""
    used, _, avoided = text.partition(AVOIDED)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _rows(used)]
    terms = [term for row in rows for term in row[0].split(", ")]
    code = [code for row in rows for code in re.findall(r"`([^`]+)`", row[-1])]
    names = {name for one in code for name in (one, *re.findall(r"^\w+\.(\w+)$", one))}
    cells = [line.strip("| ").split(" | ")[0] for line in _rows(avoided)]
    wholly = [
        re.findall(r"`([^`]+)`", cell) for cell in cells if re.fullmatch(r"`[^`]+`(?:, `[^`]+`)*", cell)
    ]
    return Page(terms, names, {word for found in wholly for word in found})


def _rows(text: str) -> list[str]:
    lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    return [line for line in lines if not re.match(r"\| (?:word|not|---) ", line)]


def without_a_line(page: Page) -> list[str]:
    """Return the public classes and functions without a line, and the methods whose verb has none."""
    found = []
    for name in outlay.__all__:
        value = getattr(outlay, name)
        if callable(value) and name not in page.names:
            found.append(name)
        if inspect.isclass(value):
            found += [f"{name}.{method}" for method in methods(value) if not _has_a_line(method, page)]
    return found


def methods(owner: type) -> list[str]:
    """Return the public methods that a class of the package defines or inherits from one."""
    own = [base for base in owner.__mro__ if base.__module__.startswith("outlay")]
    names = {name for base in own for name in vars(base) if not name.startswith("_")}
    return sorted(name for name in names if callable(getattr(owner, name, None)))


def _has_a_line(method: str, page: Page) -> bool:
    return method in page.names or method.split("_")[0] in page.terms
