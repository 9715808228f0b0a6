"""Calls that outlive the call that pays for them: they are booked when they end.

A task or a thread that is started inside a call is covered by it. Where the call ends first (it was
cancelled, or nobody waited for the task), it has settled without what is still under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from outlay._calls.asked import Asked
from outlay._calls.inner_usage import Spare
from outlay._core import Allotment, Usage, UsageEstimate, WorkflowToken, record_together
from outlay._guard.parts import guard_of
from outlay._usage.responses import counts_of

_log = logging.getLogger("outlay")
_KINDS = tuple(counts_of(Usage()))


def book_late(
    asked: Sequence[Asked],
    usages: Sequence[Usage],
    spare: Spare | None,
    paid: Callable[[Any], bool],
    covered: list[int],
) -> None:
    """Book what a call used in the budgets that a call around it covered, and has left.

    Args:
        asked: What each `reserve` of the call was given.
        usages: What it used, one for each.
        spare: What the call around it has booked for nothing that it knew of; None where it knew of all.
        paid: Whether the call itself, or another that is still open, has paid for a key.
        covered: The numbers of the accounts that these have paid for.

    """
    taken = 0 if spare is None else spare.take(max(usage.total_tokens for usage in usages))
    for one, usage in zip(asked, usages, strict=True):
        left = _without(usage, taken)
        for key, budget in (*one.budgets.native, *one.budgets.own):
            # A step was counted as it began.
            if left is None or paid(key) or isinstance(budget, WorkflowToken):
                continue
            try:
                _book(budget, one, left, covered, own=key[0] == "object")
            except Exception as failed:
                # The call is made and paid for: its answer must reach its caller.
                _log.warning("a call outlived the one that paid for it and could not be booked: %s", failed)


def _book(budget: Any, asked: Asked, usage: Usage, covered: list[int], *, own: bool) -> None:
    """Book what is spent already; a user's own budget may still refuse it."""
    if own:
        budget.reserve(UsageEstimate(), **asked.labels).commit(usage)
        return
    if isinstance(budget, Allotment) and budget.closed:
        # Its guard has it back.
        guard = guard_of(budget)()
        if guard is None:
            return
        budget = guard
    record_together(
        [budget],
        UsageEstimate(**{name: getattr(usage, name) for name in _KINDS}),
        operation=asked.operation,
        labels={**asked.facts, **asked.labels},
        covered=covered,
    )


def _without(usage: Usage, taken: int) -> Usage | None:
    """Return what is left of a usage; None if nothing is."""
    if not taken:
        return usage
    left = usage.total_tokens - taken
    if left <= 0:
        return None
    cost = -(-usage.cost_micros_usd * left // usage.total_tokens)
    return Usage(total_tokens=left, cost_micros_usd=cost)
