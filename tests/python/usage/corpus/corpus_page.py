"""Writes docs/corpus.md: one row a payload, one column a surface.

Run it after an entry has changed: `python tests/python/usage/corpus/corpus_page.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from corpus_entry import Entry, load_entries
from surfaces import SURFACES, Surface

PAGE = Path(__file__).parents[4] / "docs" / "corpus.md"
HEAD = """# The corpus of usages

Providers say in many shapes what a call used. [usage.md](usage.md) says how outlay reads them. This page has
payloads of each, with the page of the provider's documentation, and the surfaces at which they are read. It
is written by `corpus_page.py` in `tests/python/usage/corpus`. The payloads stand in the same folder, with our
own numbers. The counts and the cost of each are written beside it by hand, and the tests hold them at each
surface, to the micro-USD.

"held": the tests hold it. "n/a": the surface does not meet the payload, or the host does not pass on what it
says; the note says which. "held" with a note: the host passes on a part, and what is booked is not less.

"""


def render(entries: Sequence[Entry]) -> str:
    """Return the page as text."""
    notes: dict[str, int] = {}
    rows = ["| | payload | " + " | ".join(SURFACES) + " |", "| --- " * (len(SURFACES) + 2) + "|"]
    for entry in entries:
        cells = [_cell(entry, surface, notes) for surface in SURFACES.values()]
        rows.append(
            f"| {entry.provider} | {entry.kind}: [{entry.page}]({entry.url}) | " + " | ".join(cells) + " |"
        )
    meanings = [f"- `{surface.name}`: {surface.says}." for surface in SURFACES.values()]
    footnotes = [f"[^{number}]: {reason}" for reason, number in notes.items()]
    return (
        HEAD
        + "\n\n".join((_sums(entries), "\n".join(rows), "\n".join(meanings), "\n".join(footnotes)))
        + "\n"
    )


def _sums(entries: Sequence[Entry]) -> str:
    cells = len(entries) * len(SURFACES)
    gaps = sum(surface.gap(entry) is not None for entry in entries for surface in SURFACES.values())
    providers = len({entry.provider for entry in entries})
    return (
        f"{len(entries)} payloads of {providers} providers, gateways, servers and frameworks; "
        f"of {cells} cells, {cells - gaps} are held and {gaps} are n/a."
    )


def _cell(entry: Entry, surface: Surface, notes: dict[str, int]) -> str:
    gap = surface.gap(entry)
    reason = gap or entry.at.get(surface.name, {}).get("reason")
    word = "held" if gap is None else "n/a"
    if reason is None:
        return word
    text = reason[:1].upper() + reason[1:].rstrip(".") + "."
    return f"{word}[^{notes.setdefault(text, len(notes) + 1)}]"


if __name__ == "__main__":
    PAGE.write_text(render(load_entries()), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
