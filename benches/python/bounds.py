"""The ratios that were measured, and the margin by which a run may be above them.

Ratios to the empty method of the same run: a busy neighbour slows both. The file holds what was measured; the
margin is added here, so that nobody has to guess what is what.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from report import interpreter

FILE = Path(__file__).with_name("bounds.json")
MARGIN = 1.25
# A difference of two large figures is as uncertain as they are: a part of the whole is allowed beside it.
OF_THE_WHOLE = 0.05


def family() -> str:
    """Return what ratios depend on most: the implementation and its minor version."""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"


def write(runs: list[dict[str, dict]]) -> None:
    """Take the highest ratios of some runs as the bounds; groups that were not measured keep theirs."""
    kept = json.loads(FILE.read_text())["ratios"] if FILE.exists() else {}
    for name, last in runs[-1].items():
        ratios = {case: [run[name]["figures"][case]["ratio"] for run in runs] for case in last["figures"]}
        kept[name] = {case: round(max(all_runs), 2) for case, all_runs in ratios.items()}
    FILE.write_text(
        json.dumps({"family": family(), "taken_with": interpreter(), "ratios": kept}, indent=1) + "\n"
    )


def missed(result: dict, ratios: dict[str, float]) -> dict[str, str]:
    """Return the cases above their bound, with a sentence for each."""
    found = {}
    for case, figure in result["figures"].items():
        bound = ratios.get(case)
        if bound is None:
            found[case] = f"{case}: no bound is known; run with --write-bounds"
            continue
        most = bound * MARGIN
        if figure["without"] is not None:
            most += OF_THE_WHOLE * figure["without"] / (figure["best"] / figure["ratio"])
        if figure["ratio"] > most:
            found[case] = (
                f"{case}: {figure['ratio']:.2f} x the empty method, at most {most:.2f} (was {bound:.2f})"
            )
    return found


def check(results: dict[str, dict], again: Callable[[str], dict | None]) -> int:
    """Return 1 where a bound is missed twice."""
    known = json.loads(FILE.read_text())
    if known["family"] != family():
        print(f"NOT CHECKED: the bounds were taken with {known['taken_with']}, this is {interpreter()}")
        return 0
    failed = 0
    for name, result in results.items():
        ratios = known["ratios"].get(name, {})
        first = missed(result, ratios)
        if not first:
            continue
        print(f"{name} missed {len(first)} bounds; it is measured once more")
        second = missed(again(name) or result, ratios)
        for case in first.keys() & second.keys():
            failed += 1
            print("missed twice:", second[case])
    print(f"{failed} bounds missed" if failed else "all bounds hold")
    return 1 if failed else 0
