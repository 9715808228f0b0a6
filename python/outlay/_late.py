"""Calls that outlive the call that pays for them: they are booked when they end.

A task or a thread that is started inside a call is covered by it. Where the call ends first (it was
cancelled, or nobody waited for the task), it has settled without what is still under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

from outlay._core import Allotment, Usage, UsageEstimate, WorkflowToken, record_together
from outlay._guard.parts import guard_of
from outlay._guard.scopes import current_labels
from outlay._usage.responses import counts_of, plus

if TYPE_CHECKING:
    from outlay._budget import Budgets

_log = logging.getLogger("outlay")
_TOLD_MAX = 64
_KINDS = tuple(counts_of(Usage()))


class Told:
    """What the calls inside one have told that they used, however many they are."""

    __slots__ = ("_lock", "_usages")

    def __init__(self) -> None:
        self._usages: list[Usage] = []
        # The collector may end a dropped stream in any place, so in here too.
        self._lock = RLock()

    def add(self, usage: Usage) -> None:
        """Note what one call used."""
        self._usages.append(usage)
        if len(self._usages) > _TOLD_MAX:
            self.total()

    def total(self) -> Usage:
        """Return the sum."""
        usages = self._usages
        with self._lock:
            total = Usage.zero()
            while usages:
                try:
                    total = plus(total, usages.pop())
                except IndexError:
                    break
            if total != Usage.zero():
                usages.append(total)
        return total


class Spare:
    """What a call has booked above what the calls inside it had told: those that are left may use it up."""

    __slots__ = ("_lock", "_tokens")

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._lock = RLock()

    def take(self, tokens: int) -> int:
        """Take up to so many tokens, and return how many there were."""
        with self._lock:
            # No call between reading and writing, in which the collector could end another stream.
            before = self._tokens
            taken = tokens if tokens < before else before
            self._tokens = before - taken
        return taken


@dataclass(frozen=True, slots=True)
class Asked:
    """What one `reserve` of a call inside another was given."""

    budgets: Budgets
    estimate: UsageEstimate
    operation: str
    labels: Mapping[str, str]
    facts: Mapping[str, str]


def asked_of(
    budgets: Budgets,
    estimate: UsageEstimate,
    operation: str,
    labels: Mapping[str, str],
    facts: Mapping[str, str],
) -> Asked:
    """Note what a `reserve` was given, and what the scopes around it say: they may end before the call."""
    return Asked(budgets, estimate, operation, labels, {**current_labels(), **facts})


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
