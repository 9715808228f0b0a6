"""Rows of text under each other, as the commands print them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Sequence[Iterable[str]]) -> str:
    """Return the rows as lines, each column as wide as its longest cell."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
