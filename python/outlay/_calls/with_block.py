"""`end_block`: it ends the lease of a `with` block that an exception has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay._core import Usage, set_end_block
from outlay._usage.outcome import End, outcome_of

if TYPE_CHECKING:
    from outlay._core import BudgetLease
    from outlay._usage.fields import Fields


def end_block(lease: BudgetLease, error: BaseException) -> None:
    """End the lease of a `with` block that an `Exception` left.

    Nobody knows what the block did, so a request counts unless the block has released the lease.
    """
    outcome = outcome_of(error)
    if outcome.end is End.UNANSWERED:
        lease._cancel(outcome.requests, outcome.requests)
    elif outcome.end is End.ANSWERED:
        lease._commit(None if outcome.fields is None else _bookable(outcome.fields), outcome.requests)
    else:
        lease._fail(max(1, outcome.requests))


def _bookable(fields: Fields) -> Usage | None:
    """Return a usage, or None if its counts are out of range: then the estimate is booked."""
    try:
        return Usage(**fields)
    except ValueError:
        return None


set_end_block(end_block)
