"""Writes docs/conformance.md: one row an integration, one column a case.

Run it after a driver has changed: `python tests/python/conformance/table.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cases import CASES
from kit import Found, find_drivers
from step_cases import STEP_CASES

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
HEAD = """# Conformance

Every integration passes the same cases, in every mode that its host has: plain and streamed, sync and
async. The provider is a server on loopback that counts what it would bill, so that the two sides can be
compared. The tests are in `tests/python/conformance`; this page is written by `table.py` there. What MCP
guards is tool calls: there a step stands for the tokens, and the tool for the provider.

"held": the tests hold it. "n/a": the host has nothing of the kind, or it cannot be held there; the note
says which.

"""


def render(drivers: list[Found]) -> str:
    """Return the page as text."""
    notes: dict[str, int] = {}
    rows = ["| | " + " | ".join(f"`{name}`" for name in CASES) + " |", "| --- " * (len(CASES) + 1) + "|"]
    for found in drivers:
        cells = [_cell(found, name, notes) for name in CASES]
        rows.append(f"| {found.name} | " + " | ".join(cells) + " |")
    meanings = [f"- `{name}`: {case.says}" for name, case in CASES.items()]
    footnotes = [f"[^{number}]: {reason}" for reason, number in notes.items()]
    of_steps = [f"- `{name}`: {case.says}" for name, case in STEP_CASES.items()]
    parts = [
        "\n".join(rows),
        "## The cases\n\n" + "\n".join(meanings),
        "## The same for tool calls\n\n" + "\n".join(of_steps),
        "\n".join(footnotes),
    ]
    return HEAD + "\n\n".join(part for part in parts if part) + "\n"


def _cell(found: Found, name: str, notes: dict[str, int]) -> str:
    reason = found.gaps.get(name)
    if reason is None:
        return "held"
    text = reason[:1].upper() + reason[1:].rstrip(".") + "."
    return f"n/a[^{notes.setdefault(text, len(notes) + 1)}]"


if __name__ == "__main__":
    PAGE.write_text(render(find_drivers()))
    sys.stdout.write(f"{PAGE}\n")
