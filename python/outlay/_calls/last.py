"""`last_call`: what the newest wrapped call of this context used and cost."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar

from outlay._calls.protocols import Lease
from outlay._core import BudgetLease, Usage, UsageEstimate
from outlay._usage.responses import as_usage

_last: ContextVar[Usage | None] = ContextVar("outlay_last_call", default=None)


def last_call() -> Usage | None:
    """Return what the newest wrapped call of this context used and cost.

    Each thread and each task has a newest call of its own: the one that ended last in it. A stream counts at
    its end, and a call inside another one before the call around it. Some frameworks make their calls in
    tasks of their own; then `BudgetLease.committed` or `Guard.events` says what a call cost.

    Returns:
        The usage that was booked, with its cost where a price is known: the estimate where no usage came, and
        nothing where the call failed. None where no call has ended yet.

    Example:
        >>> from outlay import SharedPool, Usage, governed, last_call
        >>> @governed(SharedPool(capacity_tokens=1_000), estimate=100, usage=lambda answer: len(answer))
        ... def ask(question):
        ...     return question * 2
        >>> ask("four")
        'fourfour'
        >>> last_call().total_tokens
        8

    """
    return _last.get()


def note_end(
    leases: Iterable[Iterable[Lease]],
    usages: Iterable[Usage | None],
    estimates: Iterable[UsageEstimate],
) -> None:
    """Note the end of a call.

    Args:
        leases: Its leases, which have ended.
        usages: What was booked for each reserve, None for the estimate.
        estimates: What each reserve was for.

    """
    booked = [
        usage
        for each in leases
        for lease in each
        if isinstance(lease, BudgetLease) and (usage := lease.committed) is not None
    ]
    if not booked:
        booked = [as_usage(one or guess) for one, guess in zip(usages, estimates, strict=True)]
    # Nearly every call has one lease.
    _last.set(booked[0] if len(booked) == 1 else max(booked, key=_size, default=None))


def note_failure(leases: Iterable[Iterable[Lease]]) -> None:
    """Note the end of a call that failed: what its budgets have charged for it, or nothing."""
    note_end(leases, (), ())
    if _last.get() is None:
        _last.set(Usage.zero())


def _size(usage: Usage) -> tuple[int, int]:
    return (usage.cost_micros_usd, usage.total_tokens)


last_call.__module__ = "outlay"  # the place that users import from
