"""Prints what the commands find: texts without hidden characters, tables that fit the terminal, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from outlay._printable import printable

# No column of a table is made narrower than that.
_NARROWEST = 8


def say(text: str) -> None:
    """Print one line, wrapped to the width of the terminal."""
    print(_wrapped(printable(text), _width(sys.stdout)))


def warn(text: str) -> None:
    """Print one line to stderr, wrapped to the width of the terminal."""
    print(_wrapped(printable(text), _width(sys.stderr)), file=sys.stderr)


def say_table(rows: Sequence[Iterable[str]]) -> None:
    """Print rows, of which the first names the columns; a narrow terminal has a line for each cell."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    width = _width(sys.stdout)
    text = table(cells, width)
    if not width or max(map(len, text.splitlines())) <= width:
        print(text)
        return
    head, *others = cells
    for row in others:
        for name, cell in zip(head, row, strict=True):
            print(_wrapped(f"{name}: {cell}", width))
        print()


def say_json(value: Any) -> None:
    """Print a value as JSON. Every character outside of ASCII is escaped."""
    print(json.dumps(value, indent=2))


def table(rows: Sequence[Sequence[str]], width: int = 0) -> str:
    """Return the rows as lines, each column as wide as its longest cell.

    Args:
        rows: The cells of each row.
        width: The width of the terminal; default 0, no limit.

    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while width and sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines: list[str] = []
    for row in rows:
        cells = [textwrap.wrap(cell, most) or [""] for cell, most in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            parts = (cell[number] if number < len(cell) else "" for cell in cells)
            padded = (part.ljust(most) for part, most in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _width(stream: Any) -> int:
    """Return the width of the terminal, or 0 if the output goes elsewhere and nobody has set COLUMNS."""
    if os.environ.get("COLUMNS", "").isdigit() or stream.isatty():
        return shutil.get_terminal_size().columns
    return 0


def _wrapped(text: str, width: int) -> str:
    if not width or len(text) <= width:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)
