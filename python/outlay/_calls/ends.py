"""Functions that end the leases of one call together: outlay's own and those of a user's budgets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from outlay._calls.own import ended, failure
from outlay._core import BudgetLease, Usage

if TYPE_CHECKING:
    from outlay._calls.protocols import Lease

Ending: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
_log = logging.getLogger("outlay")


def end_each(endings: Iterable[Ending]) -> Sequence[Awaitable[Any]]:
    """Call each ending, then raise the first exception that one of them raised.

    Returns:
        What is still under way: the async endings of a user's own leases. An exception comes with them, to
        be raised once they are done.

    """
    failed: Exception | None = None
    under_way: list[Awaitable[Any]] = []
    for ending, arguments in endings:
        try:
            result = ending(*arguments)
            # The leases of outlay's own return None.
            if result is not None:
                going = ended(result, getattr(ending, "__self__", ending))
                if going is not None:
                    under_way.append(going)
        except Exception as error:
            # The other leases must be ended all the same: money already spent is never lost.
            failed = failed or error
    if failed is None:
        return under_way
    if not under_way:
        raise failed
    # To raise it here would let the caller go, while the service of another lease has not answered.
    return [failure(failed), *under_way]


@contextmanager
def ending_failed() -> Iterator[None]:
    """Log an exception that is raised inside, so that it does not hide the exception of the call itself."""
    try:
        yield
    except Exception:
        _log.exception("a lease of a call that failed could not be ended")


def committing(lease: Any, usage: Usage | None, requests: int) -> Ending:
    """Return the call that commits a lease under which so many requests were made."""
    if requests != 1 and isinstance(lease, BudgetLease):
        return (lease._commit, (usage, requests))
    return (lease.commit, (usage,))


def cancelling(lease: Any, usage: Usage | None, requests: int, lost: int) -> Ending:
    """Return the call that ends a lease if so many of its requests were never answered."""
    if isinstance(lease, BudgetLease):
        return (lease._cancel, (requests, lost))
    return (lease.commit, (usage,))


def failing(lease: Any, ending: str, requests: int) -> Ending:
    """Return the call that ends a lease after a failure; a lease of a user's own is closed."""
    return (getattr(lease, ending), (requests,)) if isinstance(lease, BudgetLease) else (lease.close, ())


def release_each(leases: Sequence[Lease]) -> Sequence[Awaitable[Any]]:
    """Release leases, the last first; never raises. Return what is still under way."""
    under_way: list[Awaitable[Any]] = []
    for lease in reversed(leases):
        try:
            going = ended(lease.release(), lease)
        except Exception:
            # A user's lease that cannot be released must not hide the refusal that made us release it.
            _log.exception("a lease could not be released")
        else:
            if going is not None:
                under_way.append(going)
    return under_way
