"""The protocols `Budget` and `Lease` of a user's own budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from outlay._core import Usage, UsageEstimate


@runtime_checkable
class Lease(Protocol):
    """The lease that a user's own `Budget` gives out. It is ended exactly once.

    Its methods may be coroutines, for the calls of async clients and functions; see `Budget`.

    Example:
        >>> class Printed:
        ...     def commit(self, usage=None): print("used", usage.total_tokens if usage else "the estimate")
        ...     def release(self): print("released")
        ...     def close(self): print("closed")
        >>> isinstance(Printed(), Lease)
        True

    """

    def commit(self, usage: Usage | None = None) -> Any:
        """Book what the call used.

        Args:
            usage: What it used; default None, unknown, which means the estimate.

        """

    def release(self) -> Any:
        """Give everything back: the call was never made."""

    def close(self) -> Any:
        """End a lease whose call was made and failed; the budget decides whether a failed call costs."""


@runtime_checkable
class Budget(Protocol):
    """A user's own budget. An object with this method may stand wherever a `SharedPool` may.

    `reserve` and the methods of its leases may be coroutines, for a budget that is asked over the network.
    They are awaited where the call is async. Elsewhere a `PolicyError` says so before anything is sent.

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

    def reserve(self, estimate: UsageEstimate, **labels: str) -> Lease | Awaitable[Lease]:
        """Reserve the estimate for one call.

        Args:
            estimate: What the call may use: tokens, and micro-USD where prices are known.
            **labels: All labels that a rule of a guard could meet. They are those of the wrap and of the
                scopes around it, `provider`, `model`, `agent` if known, and `tool` for a tool call.

        Returns:
            A lease that is ended once: committed, released or closed.

        Raises:
            LimitExceeded: There is no room; nothing was changed.

        """


for _class in (Lease, Budget):
    _class.__module__ = "outlay"  # the place that users import from
