"""A user's own budgets: what they are asked, and how their leases end where their methods are async."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from outlay._errors import PolicyError

if TYPE_CHECKING:
    from outlay._calls.protocols import Budget, Lease
    from outlay._core import Usage, UsageEstimate

_ENDINGS = ("commit", "release", "close")
_log = logging.getLogger("outlay")
# The loop keeps only weak references to its tasks.
_ending: set[asyncio.Future[Any]] = set()


def reserve_each(
    own: Iterable[tuple[Any, Budget]],
    leases: list[Lease],
    estimate: UsageEstimate,
    labels: Mapping[str, str],
) -> None:
    """Reserve in a user's own objects, one by one.

    Raises:
        PolicyError: One of them is async, and nobody can await it here.

    """
    # One by one into the caller's list, so that a refusal finds every lease that was given out before it.
    for _, one in own:
        check_no_coroutine(one)
        lease = _not_awaitable(one.reserve(estimate, **labels), one, "reserve")
        _check_lease(lease, one)
        leases.append(lease)
        for ending in _ENDINGS:
            if inspect.iscoroutinefunction(getattr(lease, ending)):
                raise _cannot_await(lease, ending)


def _check_lease(lease: Any, budget: Budget) -> None:
    """Refuse what is no lease, before anything is sent: nothing could end it then.

    Raises:
        PolicyError: It lacks a method of a lease.

    """
    for ending in _ENDINGS:
        if not callable(getattr(lease, ending, None)):
            raise PolicyError(
                f"budget: {type(budget).__name__}.reserve has returned a {type(lease).__name__}, which is no "
                f"lease: it has no method {ending}; a lease has commit(usage), release() and close()"
            )


def check_no_coroutine(budget: Budget) -> None:
    """Refuse a budget whose `reserve` is async, where nobody can await it.

    Raises:
        PolicyError: It is async.

    """
    if inspect.iscoroutinefunction(budget.reserve):
        raise _cannot_await(budget, "reserve")


async def reserve_each_async(
    own: Iterable[tuple[Any, Budget]],
    leases: list[Lease],
    estimate: UsageEstimate,
    labels: Mapping[str, str],
) -> None:
    """Do as `reserve_each` does, and await those that are async."""
    for _, one in own:
        lease = one.reserve(estimate, **labels)
        given = await lease if inspect.isawaitable(lease) else lease
        _check_lease(given, one)
        leases.append(given)


def ended(result: Any, owner: object) -> asyncio.Future[Any] | None:
    """Let an ending that is async run on the loop of this thread.

    Args:
        result: What `commit`, `release` or `close` of a lease returned.
        owner: The lease.

    Returns:
        What to await; None if the ending is done.

    Raises:
        PolicyError: No loop runs here, so nobody can await it.

    """
    if not inspect.isawaitable(result):
        return None
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _not_awaitable(result, owner, "commit")
    return _kept(asyncio.ensure_future(result))


def failure(error: Exception) -> asyncio.Future[Any]:
    """Return an ending that has failed, to be awaited with those that are under way."""
    failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    failed.set_exception(error)
    return _kept(failed)


def _kept(task: asyncio.Future[Any]) -> asyncio.Future[Any]:
    _ending.add(task)
    task.add_done_callback(_log_failure)
    return task


async def all_ended(endings: Iterable[Awaitable[Any]]) -> None:
    """Wait until all endings are done, then raise the first exception that one of them raised.

    What was spent must reach the user's service. So a cancellation is raised after them; a second one is
    raised at once, and they go on.
    """
    together = asyncio.gather(*endings, return_exceptions=True)
    try:
        done = await asyncio.shield(together)
    except asyncio.CancelledError:
        await asyncio.shield(together)
        raise
    for result in done:
        if isinstance(result, BaseException):
            raise result


def _log_failure(task: asyncio.Future[Any]) -> None:
    _ending.discard(task)
    # Who awaits the call is told of it as well; a stream that was dropped has nobody.
    if not task.cancelled() and task.exception() is not None:
        _log.error("a lease could not be ended: %s", task.exception())


def book(budget: Budget, usage: Usage, estimate: UsageEstimate, labels: Mapping[str, str]) -> None:
    """Book usage that is already spent: reserve nothing, and commit it."""
    lease = budget.reserve(estimate, **labels)
    if inspect.isawaitable(lease):
        ended(_book_async(lease, usage), budget)
    else:
        ended(lease.commit(usage), lease)


async def _book_async(reserving: Any, usage: Usage) -> None:
    lease = await reserving
    done = lease.commit(usage)
    if inspect.isawaitable(done):
        await done


def _not_awaitable(result: Any, owner: object, method: str) -> Any:
    if not inspect.isawaitable(result):
        return result
    close: Callable[[], None] | None = result.close if isinstance(result, Coroutine) else None
    if close is not None:
        close()
    raise _cannot_await(owner, method)


def _cannot_await(owner: object, method: str) -> PolicyError:
    return PolicyError(
        f"budget: {type(owner).__name__}.{method} is async, and this call is not, so it can not be awaited; "
        "wrap an async client or function, or give a budget whose methods are not async"
    )
