"""The command `outlay check`: whether policies are good, and what in them may be meant otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outlay._cli.doubts import doubts
from outlay._cli.policy_file import RULES, counts, read_policy, store_of
from outlay._cli.printing import say, say_json, warn
from outlay._errors import PolicyError


def check(paths: Sequence[Path], *, as_json: bool = False) -> int:
    """Check policies. Return 0 if all are good, else 1; what is wrong, and what is allowed, is printed.

    Args:
        paths: The files.
        as_json: Print a list with one object for each file.

    """
    found = [_found(path) for path in paths]
    if as_json:
        say_json(found)
    else:
        for one in found:
            _show(one, named=len(paths) > 1)
    return 0 if all(one["ok"] for one in found) else 1


def _found(path: Path) -> dict[str, Any]:
    try:
        tables = read_policy(path).tables
    except PolicyError as error:
        return {
            "file": str(path),
            "ok": False,
            "error": str(error),
            "store": None,
            "entries": {},
            "warnings": [],
        }
    warnings = list(doubts(tables))
    return {
        "file": str(path),
        "ok": True,
        "error": None,
        "store": store_of(tables),
        "entries": counts(tables),
        "warnings": warnings,
    }


def _show(one: dict[str, Any], *, named: bool) -> None:
    if not one["ok"]:
        warn(one["error"])
        return
    entries = one["entries"]
    rules = sum(count for kind, count in entries.items() if kind in RULES)
    listed = ", ".join(f"{kind} {count}" for kind, count in entries.items())
    good = f"ok: {rules} {'rule' if rules == 1 else 'rules'}" + (f" ({listed})" if listed else "")
    say(f"{one['file']}: {good}" if named else good)
    if one["store"] is not None:
        say(f"store: {one['store']} (not opened)")
    for warning in one["warnings"]:
        warn(f"{one['file']}: warning: {warning}")
