"""The output of ``outlay demo --trace``: a progress bar on a terminal, and a summary."""

from __future__ import annotations

from collections import Counter as Tally
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outlay._demo.audit import Limits
from outlay._demo.replay.file import TracedCall, read_trace
from outlay._demo.replay.run import Result, replay
from outlay._demo.show import print_figures, print_verdict

__all__ = ["run_trace"]

_DIFFERENCES_SHOWN = 10


def run_trace(path: Path, console: Console) -> bool:
    """Replay the trace and print the summary; say whether the audit held.

    Raises:
        TraceError: The file is no such trace.

    """
    calls = read_trace(path)
    limits = Limits.fitting(calls)
    _show_limits(console, path, calls, limits)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying calls", total=len(calls))

        def advance(result: Result) -> None:
            cut, tokens = len(result.refused), result.tokens_admitted
            bar.update(task, advance=1, description=f"{tokens:,} tokens admitted, {cut} sessions cut")

        result = replay(calls, limits, advance)
    _show_cuts(console, calls, result)
    _show_totals(console, result)
    print_verdict(console, result.held)
    return result.held


def _show_limits(console: Console, path: Path, calls: list[TracedCall], limits: Limits) -> None:
    sessions, agents = len({call.workflow for call in calls}), len(limits.agent_tokens)
    console.print(f"[bold]{escape(path.name)}[/]: {len(calls):,} calls, {sessions} sessions, {agents} agents")
    window = f"each {limits.agent_window} s"
    rows: list[tuple[str, int]] = [
        (f"workflows begun, each {limits.workflows_period} s", limits.workflows),
        ("steps of a workflow", limits.steps),
        *((f"tokens of agent {agent}, {window}", tokens) for agent, tokens in limits.agent_tokens.items()),
        *((f"calls of agent {agent}, {window}", number) for agent, number in limits.agent_calls.items()),
        ("tokens of the pool", limits.pool_tokens),
        ("stop threshold of the pool", limits.pool_stop_threshold),
    ]
    print_figures(console, "Limits (chosen so that some sessions are cut)", ("limit", "amount"), rows)


def _show_cuts(console: Console, calls: list[TracedCall], result: Result) -> None:
    turns = Tally(call.workflow for call in calls)
    rows = [(call.workflow, call.turn, turns[call.workflow], by) for call, by in result.refused.items()]
    if rows:
        print_figures(console, "Sessions cut", ("session", "at turn", "of", "by the limit of"), rows)


def _show_totals(console: Console, result: Result) -> None:
    rows: list[tuple[str, int, int | str]] = [
        ("sessions whole", result.sessions - len(result.refused), ""),
        ("sessions cut", len(result.refused), ""),
        ("calls admitted", result.admitted, result.tokens_admitted),
        ("calls denied", len(result.refused), result.tokens_refused),
        ("calls never made, their session being cut", result.not_asked, result.tokens_not_asked),
        ("commits above their estimate", result.overruns, ""),
        ("commits below their estimate", result.underruns, ""),
        ("figures compared with the plain re-computation", result.compared, ""),
        ("differences", len(result.differences), ""),
    ]
    print_figures(console, "Summary", ("", "number", "tokens"), rows)
    for difference in result.differences[:_DIFFERENCES_SHOWN]:
        console.print(f"  {escape(difference)}", soft_wrap=True)
