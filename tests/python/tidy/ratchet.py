"""What is not yet so: each rule has a list, `name count` a line, that may only become shorter.

`lists/<rule>.txt` holds it; `shrink.py` rewrites all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
LISTS = Path(__file__).with_name("lists")
COMMAND = "run: python tests/python/tidy/shrink.py [--moved]"

Counts = dict[str, int]


def listed(rule: str) -> Counts:
    """Return the list of a rule."""
    page = LISTS / f"{rule}.txt"
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    return {name: int(count) for name, count in (line.rsplit(" ", 1) for line in lines if line)}


def growth(before: Mapping[str, int], now: Mapping[str, int], *, moved: bool = False) -> list[str]:
    """Return what is more than listed; where files have moved, only the sum counts."""
    if moved:
        old, new = sum(before.values()), sum(now.values())
        return [f"{new} in all, {old} listed"] if new > old else []
    return [
        f"{name}: {count}, {before.get(name, 0)} allowed"
        for name, count in now.items()
        if count > before.get(name, 0)
    ]


def differences(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Return what is not on the list, and what is on it without need."""
    gone = [
        f"{name}: {now.get(name, 0)}, the list says {count}: shorten it"
        for name, count in before.items()
        if now.get(name, 0) < count
    ]
    return growth(before, now) + gone


def shrink(rule: str, now: Mapping[str, int], *, moved: bool) -> list[str]:
    """Rewrite the list of a rule; return why not, if it would grow. A new rule takes what there is."""
    page = LISTS / f"{rule}.txt"
    refused = growth(listed(rule), now, moved=moved) if page.exists() else []
    if not refused:
        lines = [f"{name} {count}\n" for name, count in sorted(now.items()) if count]
        page.write_text("".join(lines), encoding="utf-8")
    return refused
