"""The booking of calls that end after the call that pays for them.

A call covers the tasks and threads that are started inside it. If it ends first (it was cancelled, or did not
wait for the task), it has settled without the calls that are still under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from outlay._calls.asked import Asked
from outlay._calls.inner_usage import Spare
from outlay._calls.own import book
from outlay._core import Allotment, Usage, UsageEstimate, WorkflowToken, record_together
from outlay._guard.parts import guard_of
from outlay._usage.responses import counts_of

_log = logging.getLogger("outlay")


def book_late(
    asked: Sequence[Asked],
    usages: Sequence[Usage],
    spare: Spare | None,
    paid: Callable[[Any], bool],
    covered: list[int],
) -> None:
    """Book the usage of a call in the budgets that an ended call around it covered.

    Args:
        asked: What each `reserve` of the call was given.
        usages: What it used, one for each.
        spare: The tokens that the call around it has booked beyond known usage; None if it knew of all.
        paid: Says whether the call itself, or another that is still open, has paid for a key.
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
                # The provider has answered and bills: the answer must reach the caller.
                _log.warning(
                    "a call ended after the call that pays for it, and could not be booked: %s", failed
                )


def _book(budget: Any, asked: Asked, usage: Usage, covered: list[int], *, own: bool) -> None:
    """Book usage that is already spent. A user's own budget may still refuse it."""
    if own:
        book(budget, usage, UsageEstimate(), {**asked.facts, **asked.labels})
        return
    if isinstance(budget, Allotment) and budget.closed:
        # A closed allotment has given its amounts back to its guard.
        guard = guard_of(budget)()
        if guard is None:
            return
        budget = guard
    record_together(
        [budget],
        UsageEstimate(**counts_of(usage)),
        operation=asked.operation,
        labels={**asked.facts, **asked.labels},
        scope=asked.scope,
        covered=covered,
    )


def _without(usage: Usage, taken: int) -> Usage | None:
    """Return the remaining usage; None if nothing remains."""
    if not taken:
        return usage
    left = usage.total_tokens - taken
    if left <= 0:
        return None
    cost = -(-usage.cost_micros_usd * left // usage.total_tokens)
    return Usage(total_tokens=left, cost_micros_usd=cost)
