"""The output of the agent demo: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from outlay import AgentTokenBudget, LimitExceeded

__all__ = ["Report", "View", "make_console", "print_figures", "print_verdict"]

_COLUMNS = ("#", "call", "estimate", "actual", "used / limit", "remaining", "state")
_STYLES = {"open": "cyan", "ok": "green", "warned": "bold yellow", "denied": "bold red"}
_PLAIN_WIDTH = 120
_PAUSE_SECONDS = 0.15
_FIGURES_WIDTH = 73


class Report(Console):
    """A console that keeps the tables of figures for JSON, and prints to stderr."""

    def __init__(self) -> None:
        super().__init__(file=sys.stderr, no_color=True, force_terminal=False, highlight=False)
        self.tables: dict[str, list[dict[str, object]]] = {}

    def print_json_of(self, *, held: bool) -> None:
        """Print the tables and the verdict to stdout as one object."""
        sys.stdout.write(json.dumps({"held": held, "tables": self.tables}, indent=2) + "\n")


def make_console(*, plain: bool, as_json: bool = False) -> Console:
    """Make the console; without a terminal, lines are as wide as they need to be to stay whole."""
    if as_json:
        return Report()
    console = (
        Console(no_color=True, force_terminal=False, highlight=False) if plain else Console(highlight=False)
    )
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)
    return console


class View:
    """Shows the calls of the agent as they happen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._rows: list[list[str]] = []
        self._notes: list[tuple[str, str]] = []
        self._number = 0
        self._state = "ok"

    @contextlib.contextmanager
    def task(self, workflow_id: str, task: str) -> Iterator[None]:
        """Show the table of one task, live on a terminal, then what its rows had no room for."""
        self._console.print(f"\n[bold]Workflow {escape(workflow_id)}[/]: {escape(task)}")
        self._rows, self._notes = [], []
        if not self._console.is_terminal:
            self._print_plain(list(_COLUMNS))
            yield
        else:
            with Live(self._table(), console=self._console, refresh_per_second=12) as self._live:
                try:
                    yield
                finally:
                    self._live.update(self._table(), refresh=True)
            self._live = None
        for title, text in self._notes:
            self._console.print(f"[bold]{escape(title)}[/]", f"  {escape(text)}", sep="\n", soft_wrap=True)

    def model_called(self, estimate: int) -> None:
        """Show a model call that is at the server, with what is reserved for it."""
        self._number += 1
        self._rows.append([str(self._number), "model", f"{estimate:,}", "...", "", "", "open"])
        self._refresh()
        if self._live:
            # The server answers in a millisecond; nobody could watch that.
            time.sleep(_PAUSE_SECONDS)

    def model_answered(self, actual: int, used: int, limit: int, remaining: int) -> None:
        """Settle the row of the model call that came back."""
        self._rows[-1][3:] = [f"{actual:,}", f"{used:,} / {limit:,}", f"{remaining:,}", self._state]
        self._state = "ok"
        self._settled()

    def tool_done(self, call: dict[str, Any], status: str, text: str, steps: int, steps_max: int) -> None:
        """Show a tool call that ran, or was denied before it could."""
        self._number += 1
        denied = status == "error"
        name = f"tool {call['name']}({', '.join(map(str, call['args'].values()))})"
        state = f"denied: {_type_of(text)}" if denied else "ok"
        actual = "0 steps" if denied else "1 step"
        figures = [f"{steps} / {steps_max} steps", f"{steps_max - steps}"]
        self._rows.append([str(self._number), name, "1 step", actual, *figures, state])
        self._settled()
        if denied:
            self._notes.append(("Instead of the tool's result the model reads:", text))

    def model_denied(self, denial: LimitExceeded, used: int, limit: int, remaining: int) -> None:
        """Show a model call that was refused before any request was made."""
        self._number += 1
        figures = [f"{denial.requested:,}", "no call", f"{used:,} / {limit:,}", f"{remaining:,}"]
        self._rows.append([str(self._number), "model", *figures, f"denied: {denial.kind}"])
        self._settled()
        title = f"The model call is refused before it is made; the caller gets {type(denial).__name__}:"
        self._notes.append((title, str(denial)))

    def landed(self, text: str) -> None:
        """Keep the agent's answer for the end of the table."""
        self._notes.append(("The agent answers:", text))

    def warning(self, budget: AgentTokenBudget) -> None:
        """Show the budget's own warning; this is its ``on_warning``."""
        self._state = f"warned: {budget.warning_threshold:.0%} used"
        used = f"{budget.used():,} of {budget.total_tokens:,} tokens"
        share = f"{budget.usage_percentage():.0%}, warned at {budget.warning_threshold:.0%}"
        self._console.print(f"[bold yellow]WARNING[/] {escape(budget.agent_id)} has used {used} ({share})")

    def _settled(self) -> None:
        if self._console.is_terminal:
            self._refresh()
        else:
            self._print_plain(self._rows[-1])

    def _refresh(self) -> None:
        if self._live:
            # While it runs the newest rows are shown, as many as there is room for; at its end, all.
            room = max(self._console.height - 3, 1)
            self._live.update(self._table(room), refresh=True)

    def _table(self, rows_max: int | None = None) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in _COLUMNS:
            figure = name in ("#", "estimate", "actual", "used / limit", "remaining")
            # In a narrow terminal the name of the call gives way, not the figures.
            width = max(self._console.width - _FIGURES_WIDTH, 14) if name == "call" else None
            table.add_column(name, justify="right" if figure else "left", no_wrap=True, max_width=width)
        for row in self._rows if rows_max is None else self._rows[-rows_max:]:
            style = _STYLES.get(row[-1].split(":")[0], "")
            table.add_row(*(escape(cell) for cell in row[:-1]), f"[{style}]{escape(row[-1])}[/]")
        return table

    def _print_plain(self, row: list[str]) -> None:
        number, call, estimate, actual, used, remaining, state = row
        line = f"{number:>3} {call:<46.46} {estimate:>8} {actual:>8} {used:>16} {remaining:>9}  {state}"
        self._console.print(escape(line), soft_wrap=True)


def print_figures(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """Print a table of figures; the first column is text."""
    if isinstance(console, Report):
        names = [name or "figure" for name in columns]
        console.tables[title] = [dict(zip(names, row, strict=True)) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in row))
    console.print(f"\n[bold underline]{escape(title)}[/]")
    console.print(table)


def print_verdict(console: Console, held: bool) -> None:
    """Say whether the audit held."""
    text = "[bold green]The audit held[/]: no difference." if held else "[bold red]THE AUDIT DID NOT HOLD.[/]"
    console.print(f"\n{text}")


def _type_of(refusal: str) -> str:
    """Name the limit that a refusal names; a tool's own error is no refusal."""
    try:
        return str(json.loads(refusal)["type"])
    except (ValueError, KeyError, TypeError):
        return "error"
