"""Measure two builds in turn, case by case, in fresh processes, and say what is slower than before.

The benches of today run against both; what the older build lacks is left out of the table and named below it.
A case counts as slower where its ratio is above 1 by more than `--least` and by more than the noise, which is
half of what the figures of one build differ by among its own processes.

Run: make bench-compare BASE=<git ref>
     python benches/python/compare.py --base FOLDER --now FOLDER [--pairs N] [--check] [GROUP ...]
FOLDER holds the package `outlay`, built.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cases import GROUPS
from process import NotInstalledError, measured
from report import heading

HERE = Path(__file__).parent


@dataclass
class Pair:
    """What a case took in each process of both builds, in ns."""

    base: list[float] = field(default_factory=list)
    now: list[float] = field(default_factory=list)

    def ratio(self) -> float:
        """Return the median of the ratios of neighbouring processes."""
        return statistics.median(now / base for base, now in zip(self.base, self.now, strict=True))

    def noise(self) -> float:
        """Return by what part of themselves the figures of one build differ."""
        return max((max(part) - min(part)) / statistics.median(part) / 2 for part in (self.base, self.now))


def compare(group: str, options: argparse.Namespace) -> tuple[dict[str, Pair], dict[str, str]]:
    """Measure a group in both builds, in turn; return the pairs, and what one of them cannot run."""
    pairs: dict[str, Pair] = {}
    missing: dict[str, str] = {}
    for number in range(options.pairs):
        found = {}
        # Who comes first changes, so that a machine that gets slower favours neither.
        for build in ("base", "now") if number % 2 == 0 else ("now", "base"):
            folder = getattr(options, build).resolve()
            result = run(group, options, folder)
            missing.update({case: f"{build}: {why}" for case, why in result["missing"].items()})
            found[build] = result["figures"]
        for case in found["base"].keys() & found["now"].keys():
            pair = pairs.setdefault(case, Pair())
            pair.base.append(whole(found["base"][case]))
            pair.now.append(whole(found["now"][case]))
    order = list(found["now"])
    return {case: pairs[case] for case in sorted(pairs, key=order.index)}, missing


def run(group: str, options: argparse.Namespace, folder: Path) -> dict:
    """Measure a group with one build, here or in the other environment."""
    for python in (sys.executable, *([options.others] if options.others else [])):
        try:
            return measured(HERE, python, group, options.rounds, tolerant=True, outlay=folder)
        except NotInstalledError as missing:
            last = missing
    raise last


def whole(figure: dict) -> float:
    """Return the time of the whole call: a difference of two calls is noisier than both."""
    return figure["best"] if figure["without"] is None else figure["without"]


def show(group: str, pairs: dict[str, Pair], missing: dict[str, str], least: float) -> list[str]:
    """Print the table of a group; return the cases that got slower."""
    print(
        f"\n### {group}\n\n| case | base ns | now ns | ratio | noise | |\n"
        "| --- | ---: | ---: | ---: | ---: | --- |"
    )
    slower = []
    for case, pair in pairs.items():
        ratio, noise = pair.ratio(), pair.noise()
        verdict = ""
        if abs(ratio - 1) > max(least, noise):
            verdict = "slower" if ratio > 1 else "faster"
        if verdict == "slower":
            slower.append(case)
        base, now = statistics.median(pair.base), statistics.median(pair.now)
        print(f"| {case} | {base:,.1f} | {now:,.1f} | {ratio:.3f} | {noise:.3f} | {verdict} |")
    for case, why in missing.items():
        print(f"\nnot compared: {case} ({why})")
    sys.stdout.flush()
    return slower


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", default=GROUPS, metavar="GROUP")
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--now", type=Path, required=True)
    parser.add_argument(
        "--others", help="the Python of the other environment, for what is not installed here"
    )
    parser.add_argument("--pairs", type=int, default=5, help="processes of each build and group")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--least", type=float, default=0.05, help="a smaller difference is none")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a case is slower twice")
    options = parser.parse_args()
    print(heading(options.rounds))
    print(f"base: {options.base}\nnow: {options.now}\n{options.pairs} pairs of processes for each group")
    slower: dict[str, list[str]] = {}
    for group in options.groups:
        try:
            slower[group] = show(group, *compare(group, options), options.least)
        except NotInstalledError as why:
            print(f"\nLEFT OUT: {group}: {why}", file=sys.stderr)
    again = {group: cases for group, cases in slower.items() if cases}
    if again:
        print(f"\nslower once, measured again: {', '.join(again)}")
    twice = [
        f"{group}: {case}"
        for group, cases in again.items()
        for case in show(group, *compare(group, options), options.least)
        if case in cases
    ]
    print(
        "\n" + ("\n".join(f"slower: {case}" for case in twice) if twice else "no case is slower than before")
    )
    return 1 if options.check and twice else 0


if __name__ == "__main__":
    sys.exit(main())
