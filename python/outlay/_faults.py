"""The errors that are no refusals: of arguments, leases, stores and forks."""

from __future__ import annotations

import functools
from typing import Any


class OutlayError(RuntimeError):
    """The base of all that outlay raises.

    Example:
        >>> from outlay import AgentTokenBudget
        >>> try:
        ...     AgentTokenBudget.hourly("a-1", -1)
        ... except OutlayError as error:
        ...     type(error).__name__
        'InvalidAmount'

    """


class LeaseError(OutlayError):
    """A lease is not in a state that allows this.

    Example:
        >>> from outlay import SharedPool
        >>> lease = SharedPool().reserve(100)
        >>> lease.release()
        >>> try:
        ...     lease.extend(60)
        ... except LeaseError:
        ...     lease.state
        'released'

    """


class LeaseExpired(LeaseError):
    """The lease has run out: it can still be committed, not released or extended.

    Example:
        >>> from outlay import ManualClock, SharedPool
        >>> clock = ManualClock()
        >>> lease = SharedPool(clock=clock).reserve(100, ttl=60)
        >>> clock.advance(61)
        >>> try:
        ...     lease.release()
        ... except LeaseExpired:
        ...     lease.commit(80)

    """


class LeaseFinalized(LeaseError):
    """The lease has already ended in another way.

    Example:
        >>> from outlay import SharedPool
        >>> lease = SharedPool().reserve(100)
        >>> lease.commit(80)
        >>> try:
        ...     lease.release()
        ... except LeaseFinalized:
        ...     lease.state
        'committed'

    """


class UnknownLease(LeaseError):
    """The lease is not a lease of this pool.

    Example:
        >>> from outlay import SharedPool, Usage
        >>> lease = SharedPool().reserve(100)
        >>> try:
        ...     SharedPool().record_used(lease, Usage(total_tokens=80))
        ... except UnknownLease:
        ...     lease.state
        'open'

    """


class InvalidAmount(OutlayError, ValueError):
    """A bad amount; the message names the argument and what is allowed.

    Example:
        >>> from outlay import AgentTokenBudget
        >>> try:
        ...     AgentTokenBudget.hourly("a-1", 1.5)
        ... except InvalidAmount as error:
        ...     "total_tokens" in str(error)
        True

    """


class InvalidId(OutlayError, ValueError):
    """A bad identifier; the message names the argument and what is allowed.

    Example:
        >>> from outlay import AgentTokenBudget
        >>> try:
        ...     AgentTokenBudget.hourly("", 100)
        ... except InvalidId as error:
        ...     str(error)
        'agent_id must be text of 1 to 1024 bytes, not empty'

    """


class PolicyError(OutlayError, ValueError):
    """A setting that makes no sense; the message names the argument and what is allowed.

    Example:
        >>> from outlay import AgentTokenBudget
        >>> try:
        ...     AgentTokenBudget("a-1", 100, period=0)
        ... except PolicyError as error:
        ...     "period" in str(error)
        True

    """


def policy_file_error(number: int, said: str, path: str) -> PolicyError:
    """Return the error of a policy file that the system cannot read.

    It is a `PolicyError`, and the `OSError` of its kind: `FileNotFoundError`, `PermissionError`, ...

    Args:
        number: The number of the system's error.
        said: Its text.
        path: The file.

    """
    # OSError itself chooses the class of that number.
    kind: Any = type(OSError(number, said))
    error: PolicyError = _policy_file_class(kind)(number, said, path)
    return error


@functools.cache
def _policy_file_class(kind: Any) -> Any:
    class PolicyFileError(PolicyError, kind):  # type: ignore[misc]
        """A policy file that the system cannot read."""

        __new__ = kind.__new__
        __init__ = kind.__init__

        def __str__(self) -> str:
            return f"{self.filename}: {self.strerror}"

        def __reduce__(self) -> tuple[Any, ...]:
            return policy_file_error, (self.errno, self.strerror, self.filename)

    return PolicyFileError


class StoreError(OutlayError):
    """A file or a server that keeps accounts has failed.

    Example:
        >>> import tempfile
        >>> from outlay import BudgetManager
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         BudgetManager().restore(folder)
        ...     except StoreError as error:
        ...         type(error).__name__
        'StoreUnavailable'

    """


class StoreUnavailable(StoreError):
    """It could not be reached, read or written.

    Example:
        >>> import tempfile
        >>> from outlay import BudgetManager
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         BudgetManager().persist(folder)
        ...     except StoreUnavailable:
        ...         "a folder is no file"
        'a folder is no file'

    """


class StoreCorrupt(StoreError):
    """What it holds is not what was written there.

    Example:
        >>> import pathlib, tempfile
        >>> from outlay import BudgetManager
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "budgets.json")
        ...     _ = path.write_text("{")
        ...     try:
        ...         BudgetManager().restore(path)
        ...     except StoreCorrupt:
        ...         "nothing was changed"
        'nothing was changed'

    """


class Indeterminate(StoreError):
    """It is not known whether the operation was done: look before you do it again.

    Nothing in this package raises it; a store of your own may.

    Example:
        >>> def charge(send):
        ...     try:
        ...         send()
        ...     except TimeoutError as error:
        ...         raise Indeterminate("no answer came") from error
        >>> def send():
        ...     raise TimeoutError
        >>> try:
        ...     charge(send)
        ... except StoreError as error:
        ...     str(error)
        'no answer came'

    """


class ForkedLedger(OutlayError):
    """An in-memory account of the parent, used in a forked child.

    It would be a copy there: N children, N times the limit. A new one in each child would have
    the whole limit again, too. Give the children a store in common, or let one process ask for all.

    Example:
        >>> import os
        >>> from outlay import SharedPool
        >>> pool = SharedPool(capacity_tokens=100)
        >>> def work():
        ...     try:
        ...         pool.reserve(1)
        ...     except ForkedLedger:
        ...         return 3
        ...     return 0
        >>> child = os.fork()
        >>> if child == 0:
        ...     os._exit(work())
        >>> os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        3

    """
