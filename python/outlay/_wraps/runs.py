"""The run that a host opens around an agent where none is open."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from outlay._calls.budgets import Budgets
from outlay._core import Allotment, BoundGuard
from outlay._guard.scopes import current_labels, new_run_id, within_run


def named_run(budgets: Budgets, labels: Mapping[str, str]) -> str | None:
    """Return the run that the labels of a host name, or a view or a part among its budgets; else None."""
    runs = (_run_of(one) for _, one in budgets.native)
    return labels.get("run") or next((run for run in runs if run), None)


def _run_of(budget: Any) -> str | None:
    if isinstance(budget, Allotment):
        return None if budget.closed else budget._run()
    return budget.labels.get("run") if isinstance(budget, BoundGuard) else None


def begin_run(budgets: Budgets, labels: Mapping[str, str]) -> str:
    """Return the run of an agent that begins: the one that is open, the one that is named, or a new one."""
    return current_labels().get("run") or named_run(budgets, labels) or new_run_id()


def open_run(run: str | None) -> AbstractContextManager[None]:
    """Open a run for the `with` block, unless one is open around it.

    Args:
        run: The label `run`; None opens none.

    """
    if run is None or "run" in current_labels():
        return nullcontext()
    return within_run(run)
