"""Write the tables in Markdown."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from .adapters import outlay as ours
from .case import AWAIT, GROUPS, Case
from .correctness import AGENTS, CALLS, THREADS
from .installed import Peers
from .measure import Row, Table


def heading(peers: Peers, rounds: int) -> Iterator[str]:
    """Say what was measured, and what was left out."""
    versions = ", ".join(f"{package} {version}" for package, version in peers.versions.items())
    yield f"CPython {platform.python_version()}, {rounds} rounds. {versions}."
    for name, reason in peers.left_out.items():
        yield f"\n**Left out: {name}**, for it cannot be imported here: {reason}."


def timings(table: Table) -> Iterator[str]:
    """Write one table for each group, outlay's rows first."""
    by_name = {(case.group, case.name): row for case, row in table.cases.items()}
    for group in GROUPS:
        cases = [case for case in table.cases if case.group == group]
        yield f"\n### {group}\n"
        yield "| call | what it does | ns, min | ns, median | to an empty call | to outlay's |"
        yield "| --- | --- | ---: | ---: | ---: | --- |"
        name = "await a coroutine that does nothing" if group == AWAIT else "an empty PyO3 method"
        floor = table.floor_of(cases[0])
        yield line(name, "", table, floor, floor, "")
        for case in cases:
            row = table.cases[case]
            name = f"**{case.name}**" if case.beside == case.name else case.name
            yield line(name, case.does, table, row, floor, beside(case, row, table, by_name))


def beside(case: Case, row: Row, table: Table, rows: dict[tuple[str, str], Row]) -> str:
    """Compare a peer's call with the call of outlay that does the same work."""
    if case.beside == case.name:
        return ""
    ratio = table.ratio(row, rows[case.group, case.beside])
    number = f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 1.95 else f"{ratio:.2f}"
    return f"{number} x `{case.beside}`"


def line(name: str, does: str, table: Table, row: Row, floor: Row, compared: str) -> str:
    """Write one line."""
    ratio = table.ratio(row, floor)
    empty = f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}"
    return f"| {name} | {does} | {table.least(row):,.0f} | {table.median(row):,.0f} | {empty} | {compared} |"


def in_flight(made: dict[str, tuple[str, int]]) -> Iterator[str]:
    """Write how many calls were made."""
    yield f"\n### {AGENTS:,} agents in flight, a budget of {CALLS} calls\n"
    yield "| budget | what it does | calls made |"
    yield "| --- | --- | ---: |"
    for name, (does, calls) in made.items():
        yield f"| {name} | {does} | {calls:,} |"


def threads(limit: int, admitted: dict[str, list[int]]) -> Iterator[str]:
    """Write how many calls were admitted: the least and the most of the runs."""
    runs = max(len(counts) for counts in admitted.values())
    yield f"\n### {THREADS} threads on one key, {limit:,} calls allowed, {4 * limit:,} asked, {runs} runs\n"
    yield "| call | admitted, least | admitted, most |"
    yield "| --- | ---: | ---: |"
    for name, counts in admitted.items():
        yield f"| {name} | {min(counts):,} | {max(counts):,} |"


def wrong(made: dict[str, tuple[str, int]], limit: int, admitted: dict[str, list[int]]) -> list[str]:
    """Return where outlay's own limits did not hold. What the peers do is reported, not judged."""
    crowds = {crowd.name for crowd in ours.CROWDS}
    calls = {case.name for case in ours.CASES}
    return [
        *(
            f"{name}: {count} calls of {CALLS}"
            for name, (_, count) in made.items()
            if name in crowds and count != CALLS
        ),
        *(
            f"{name}: {counts} admitted of {limit}"
            for name, counts in admitted.items()
            if name in calls and set(counts) != {limit}
        ),
    ]
