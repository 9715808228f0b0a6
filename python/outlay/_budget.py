"""One budget, a list of them or a user's own: reserved together, and each account once per call.

Every integration builds on this module and on nothing else, so it knows no framework. An integration makes
one `Call` per request to the provider, reserves in it, runs the request inside `entered()` and ends it with
`commit`, `release` or `close`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from outlay._core import BudgetManager, UsageEstimate, account_id, charge_together, reserve_together
from outlay._errors import PolicyError
from outlay._waiting import reserve_together_wait

if TYPE_CHECKING:
    from datetime import timedelta

    from outlay._core import AgentBudget, AgentTokenBudget, RateLimiter, SharedPool, Usage, WorkflowToken

    NativeBudget: TypeAlias = AgentBudget | AgentTokenBudget | RateLimiter | SharedPool | WorkflowToken

_log = logging.getLogger("outlay")


@runtime_checkable
class Lease(Protocol):
    """What a user's own `Budget` gives out: it is ended exactly once.

    Example:
        >>> class Printed:
        ...     def commit(self, usage=None): print("used", usage.total_tokens if usage else "the estimate")
        ...     def release(self): print("released")
        ...     def close(self): print("closed")
        >>> isinstance(Printed(), Lease)
        True

    """

    def commit(self, usage: Usage | None = None) -> Any:
        """Book what the call used; None says that the usage is unknown, and means the estimate."""

    def release(self) -> Any:
        """Give everything back: the call was never made."""

    def close(self) -> Any:
        """End a lease whose call failed; the budget decides whether a failed call costs."""


@runtime_checkable
class Budget(Protocol):
    """A user's own budget: anything with this method goes wherever a pool of outlay goes.

    Example:
        >>> from outlay import SharedPool
        >>> class Audited:
        ...     def __init__(self, pool): self.pool, self.asked = pool, []
        ...     def reserve(self, estimate, **labels):
        ...         self.asked.append((estimate.total_tokens, labels))
        ...         return self.pool.reserve(estimate)
        >>> isinstance(Audited(SharedPool(capacity_tokens=1_000)), Budget)
        True

    """

    def reserve(self, estimate: UsageEstimate, **labels: str) -> Lease:
        """Reserve the estimate for one call.

        Args:
            estimate: What the call may use: tokens, and micro-USD where prices are known.
            **labels: The labels of the wrap, and `tool` for a tool call.

        Returns:
            A lease that is ended once: committed, released or closed.

        Raises:
            LimitExceeded: There is no room; nothing was changed.

        """


AnyBudget: TypeAlias = "NativeBudget | Budget"
_Key: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of one wrap: the accounts of the core, and the user's own objects after them."""

    native: tuple[tuple[_Key, NativeBudget], ...]
    own: tuple[tuple[_Key, Budget], ...]


def normalise(budget: AnyBudget | Sequence[AnyBudget]) -> Budgets:
    """Read "one budget or a list of them".

    Args:
        budget: One budget, or a list or tuple of them; the same account twice counts once.

    Returns:
        The budgets, each account once, in the order given.

    Raises:
        PolicyError: The list is empty or holds something that is not a budget.

    """
    given: Iterable[Any] = budget if isinstance(budget, list | tuple) else (budget,)
    native: dict[_Key, Any] = {}
    own: dict[_Key, Any] = {}
    for one in given:
        number = _account_number(one)
        if number is not None:
            native.setdefault(("account", number), one)
        else:
            own.setdefault(("object", id(one)), _checked_own(one))
    if not native and not own:
        raise PolicyError("budget: the list is empty; give at least one budget")
    return Budgets(tuple(native.items()), tuple(own.items()))


def checked_labels(labels: Mapping[str, Any]) -> dict[str, str]:
    """Return a copy of the labels.

    Raises:
        PolicyError: A label is not text.

    """
    for name, value in labels.items():
        if not isinstance(value, str):
            raise PolicyError(f"label {name}: a str is allowed, not {type(value).__name__}")
    return dict(labels)


def _account_number(budget: Any) -> int | None:
    try:
        return account_id(budget)
    except TypeError:
        return None


def _checked_own(budget: Any) -> Budget:
    # A manager has a reserve() with another meaning, and would pass for a user's own object.
    if isinstance(budget, BudgetManager):
        raise PolicyError("budget: a BudgetManager keeps many agents; give manager.agent(agent_id)")
    if isinstance(budget, type) or not callable(getattr(budget, "reserve", None)):
        raise PolicyError(
            f"budget: {type(budget).__name__} is not a budget; allowed are SharedPool, AgentTokenBudget, "
            "AgentBudget, RateLimiter, WorkflowToken, an object with reserve(estimate, **labels), or a "
            "list of them"
        )
    return budget  # type: ignore[no-any-return]


class Call:
    """One request to a provider: its leases, and the accounts that no layer inside it charges again.

    Layers stack (a wrapped model over a wrapped client): the outermost one that names an account pays for
    it, the others find the account covered and leave it alone.
    """

    __slots__ = ("_covered", "_leases", "_open", "_outer")

    def __init__(self) -> None:
        outer: Call | None = _current.get()
        # A task that was started inside a call inherits its context, but outlives it: a call that has
        # ended covers nothing, and must not be kept alive by those that come after it.
        while outer is not None and not outer._open:
            outer = outer._outer
        self._outer: Call | None = outer
        self._covered: dict[_Key, Any] = {}
        self._leases: list[list[Lease]] = []
        self._open: bool = True

    def reserve(
        self,
        budgets: Budgets,
        estimate: UsageEstimate,
        *,
        operation: str,
        labels: Mapping[str, str],
        wait: float | timedelta | None = None,
    ) -> None:
        """Reserve the estimate in every budget that is not covered yet.

        The accounts of the core are decided in one step; a user's own objects follow, one after the other.

        Args:
            budgets: The budgets of one wrap.
            estimate: What the call may use.
            operation: The operation that an `AgentTokenBudget` weighs.
            labels: Passed to the user's own objects.
            wait: How long this thread may wait for a pool or a limiter; default None, not at all.

        Raises:
            LimitExceeded: A budget refused; every lease of this call has been released.

        """
        with self._reserving(budgets) as (native, own, leases):
            if native:
                lease = reserve_together(native, estimate, operation=operation, timeout=wait)
                leases.append(lease)
            _reserve_each(own, leases, estimate, labels)

    async def reserve_async(
        self,
        budgets: Budgets,
        estimate: UsageEstimate,
        *,
        operation: str,
        labels: Mapping[str, str],
        wait: float | timedelta | None = None,
    ) -> None:
        """Do as `reserve` does, and wait without blocking the event loop."""
        with self._reserving(budgets) as (native, own, leases):
            if native:
                lease = await reserve_together_wait(native, estimate, operation=operation, timeout=wait)
                leases.append(lease)
            _reserve_each(own, leases, estimate, labels)

    @contextmanager
    def _reserving(
        self, budgets: Budgets
    ) -> Iterator[tuple[list[NativeBudget], list[tuple[_Key, Budget]], list[Lease]]]:
        """Give the budgets that no call covers yet, and a list for their leases: all of them, or none."""
        native = [(key, one) for key, one in budgets.native if not self._covers(key)]
        own = [(key, one) for key, one in budgets.own if not self._covers(key)]
        leases: list[Lease] = []
        self._leases.append(leases)
        try:
            yield [one for _, one in native], own, leases
        except BaseException:
            self.release()
            raise
        self._covered.update(native)
        self._covered.update(own)

    def commit(self, *usages: Usage | None) -> None:
        """Book what was used, one usage for each `reserve`, in its order; None books the estimate."""
        self._open = False
        leases, self._leases = self._leases, []
        paid = zip(leases, usages, strict=True)
        _end_each((lease.commit, (usage,)) for each, usage in paid for lease in each)

    def release(self) -> None:
        """Give everything back, the last reserved first; never raises."""
        self._open = False
        _release_each([lease for leases in self._leases for lease in leases])
        self._leases.clear()

    def close(self) -> None:
        """End the call as one that failed: each budget's own `on_error` decides."""
        self._open = False
        leases, self._leases = self._leases, []
        _end_each((lease.close, ()) for each in leases for lease in each)

    def entered(self) -> _Entered:
        """Mark everything inside the `with` block as part of this call.

        A generator must enter and leave around each step, never across a `yield`: it may be resumed or
        closed in another context.
        """
        return _Entered(self)

    def _covers(self, key: _Key) -> bool:
        call: Call | None = self
        while call is not None:
            if call._open and key in call._covered:
                return True
            call = call._outer
        return False


class Step:
    """The leases of one step; a `with` block around the step ends them as the block ends."""

    __slots__ = ("_leases",)

    def __init__(self, leases: list[Lease]) -> None:
        self._leases = leases

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        # Cancelled or interrupted, the step may have done its work all the same.
        failed = kind is not None and issubclass(kind, Exception)
        _end_each((lease.close, ()) if failed else (lease.commit, (None,)) for lease in self._leases)


def charge_step(budgets: Budgets, *, operation: str, labels: Mapping[str, str]) -> Step:
    """Charge one step (a tool call, a turn of an agent) in one decision.

    Steps join no outer call: a tool that runs an agent of its own makes steps of its own.

    Args:
        budgets: The budgets of one middleware.
        operation: The name of the tool: the operation of which an `AgentTokenBudget` consumes one.
        labels: Passed to the user's own objects.

    Returns:
        The leases of the user's own objects: run the step in a `with` block of it.

    Raises:
        LimitExceeded: A budget refused; nothing was changed.

    """
    leases: list[Lease] = []
    try:
        # The core charges at once and for good, so the objects that can still give back come first.
        _reserve_each(budgets.own, leases, UsageEstimate(), labels)
        if budgets.native:
            charge_together([one for _, one in budgets.native], operation)
    except BaseException:
        _release_each(leases)
        raise
    return Step(leases)


def _reserve_each(
    own: Iterable[tuple[_Key, Budget]],
    leases: list[Lease],
    estimate: UsageEstimate,
    labels: Mapping[str, str],
) -> None:
    # One by one into the caller's list, so that a refusal finds every lease that was given out before it.
    for _, one in own:
        leases.append(one.reserve(estimate, **labels))


def _end_each(endings: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    failed: Exception | None = None
    for ending, arguments in endings:
        try:
            ending(*arguments)
        except Exception as error:
            # The other leases must be ended all the same: money already spent is never lost.
            failed = failed or error
    if failed is not None:
        raise failed


def _release_each(leases: Sequence[Lease]) -> None:
    for lease in reversed(leases):
        try:
            lease.release()
        except Exception:
            # A user's lease that cannot be released must not hide the refusal that made us release it.
            _log.exception("a lease could not be released")


class _Entered:
    """Sets the current call and puts the former one back."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._token: Token[Call | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self._call)

    def __exit__(self, *_exception: object) -> None:
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:
                # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
                self._token = None


_current: ContextVar[Call | None] = ContextVar("outlay_call", default=None)
