"""Functions that end the leases of one call together: outlay's own and those of a user's budgets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from outlay._core import BudgetLease, Usage

if TYPE_CHECKING:
    from outlay._calls.protocols import Budget, Lease
    from outlay._core import UsageEstimate

_Ending: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
_log = logging.getLogger("outlay")


def reserve_each(
    own: Iterable[tuple[Any, Budget]],
    leases: list[Lease],
    estimate: UsageEstimate,
    labels: Mapping[str, str],
) -> None:
    """Reserve in a user's own objects, one by one."""
    # One by one into the caller's list, so that a refusal finds every lease that was given out before it.
    for _, one in own:
        leases.append(one.reserve(estimate, **labels))


def end_each(endings: Iterable[_Ending]) -> None:
    """Call each ending, then raise the first exception that one of them raised."""
    failed: Exception | None = None
    for ending, arguments in endings:
        try:
            ending(*arguments)
        except Exception as error:
            # The other leases must be ended all the same: money already spent is never lost.
            failed = failed or error
    if failed is not None:
        raise failed


@contextmanager
def ending_failed() -> Iterator[None]:
    """Log an exception that is raised inside, so that it does not hide the exception of the call itself."""
    try:
        yield
    except Exception:
        _log.exception("a lease of a call that failed could not be ended")


def committing(lease: Any, usage: Usage | None, requests: int) -> _Ending:
    """Return the call that commits a lease under which so many requests were made."""
    if requests != 1 and isinstance(lease, BudgetLease):
        return (lease._commit, (usage, requests))
    return (lease.commit, (usage,))


def cancelling(lease: Any, usage: Usage | None, requests: int, lost: int) -> _Ending:
    """Return the call that ends a lease if so many of its requests were never answered."""
    if isinstance(lease, BudgetLease):
        return (lease._cancel, (requests, lost))
    return (lease.commit, (usage,))


def failing(lease: Any, ending: str, requests: int) -> _Ending:
    """Return the call that ends a lease after a failure; a lease of a user's own is closed."""
    return (getattr(lease, ending), (requests,)) if isinstance(lease, BudgetLease) else (lease.close, ())


def release_each(leases: Sequence[Lease]) -> None:
    """Release leases, the last first; never raises."""
    for lease in reversed(leases):
        try:
            lease.release()
        except Exception:
            # A user's lease that cannot be released must not hide the refusal that made us release it.
            _log.exception("a lease could not be released")
