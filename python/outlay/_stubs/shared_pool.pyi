"""The pool of tokens and money that many agents share."""

from typing import Any, Self, final

from outlay._stubs.amounts import Estimate, Usage
from outlay._stubs.arguments import Amount, Ending, Period
from outlay._stubs.caps import Remaining, RequestBudget
from outlay._stubs.clocks import Clock
from outlay._stubs.leases import BudgetLease, Mailbox, Wait
from outlay._stubs.stores.store import StoreArg

@final
class SharedPool:
    """A pool of tokens and money that many agents share, given out by leases.

    It has no window: what was committed never comes back. The last tokens and micro-USD, up to a stop
    threshold, are not given out, but `remaining` counts them.

    Args:
        capacity_tokens: Tokens in all; default None, unlimited.
        capacity_cost_micros_usd: Millionths of a US dollar in all; default None, unlimited.
        stop_threshold_tokens: The last tokens, which are not given out, at most the capacity; default
            None, 0.
        stop_threshold_cost_micros_usd: The last micro-USD, which are not given out, at most the capacity;
            default None, 0.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`; default
            None, in this object alone.
        name: What tells it from others of its class in its store; default None, "pool".

    Raises:
        InvalidAmount: An amount is no whole number.
        PolicyError: A threshold is above its capacity or has none, or another argument makes no sense.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, stop_threshold_tokens=100)
        >>> with pool.reserve(600) as lease:
        ...     lease.commit(500)
        >>> pool.remaining().tokens
        500
        >>> try:
        ...     pool.reserve(401)
        ... except ThresholdExceeded as refused:
        ...     refused.remaining
        400
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        *,
        capacity_tokens: Amount | None = None,
        capacity_cost_micros_usd: Amount | None = None,
        stop_threshold_tokens: Amount | None = None,
        stop_threshold_cost_micros_usd: Amount | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
        name: str | None = None,
    ) -> Self: ...
    def reserve(
        self,
        estimate: Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: Period | None = None,
    ) -> BudgetLease:
        """Hold the estimate until the lease ends.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It does not fit above the stop threshold; nothing was changed.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap or the time to live is not allowed.
        """

    async def reserve_wait(
        self,
        estimate: Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
    ) -> BudgetLease:
        """Wait, first in, first out, until `reserve` is possible.

        Where there is room, it does not suspend. Cancelled, it leaves the queue, and releases what it was
        given and has not received.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It can never fit any more, whatever open leases give back; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap, the time to live or the timeout is not allowed.

        Example:
            >>> import asyncio
            >>> async def second(pool, first):
            ...     waiting = asyncio.ensure_future(pool.reserve_wait(600))
            ...     await asyncio.sleep(0)
            ...     first.release()
            ...     return await waiting
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> asyncio.run(second(pool, pool.reserve(700))).state
            'open'
        """

    def reserve_blocking(
        self,
        estimate: Estimate,
        request_budget: RequestBudget | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread without the GIL, or in a greenlet. Ctrl-C ends it.

        Args:
            estimate: What the call may use: a `UsageEstimate`, or tokens (at no cost).
            request_budget: The request's own cap; default None, none.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the pool's `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Returns:
            The lease to commit.

        Raises:
            RequestBudgetExceeded: The estimate is above the request's own cap.
            ThresholdExceeded: It can never fit any more, whatever open leases give back; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The cap, the time to live or the timeout is not allowed.
        """

    def _try_reserve(
        self,
        estimate: Estimate,
        request_budget: RequestBudget | None,
        ttl: Period | None,
        timeout: Period | None,
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: Estimate,
        request_budget: RequestBudget | None,
        ttl: Period | None,
        timeout: Period | None,
        mailbox: Mailbox,
    ) -> Wait: ...
    def record_used(self, lease: BudgetLease, usage: Estimate) -> None:
        """Commit a lease of this pool, then hold the usage against the request's own cap.

        Args:
            lease: A lease of this pool.
            usage: What was used: a `Usage`, or tokens (at no cost).

        Raises:
            RequestBudgetExceeded: The usage is above the request's own cap; it is booked all the same.
            UnknownLease: The lease is not a lease of this pool.
            LeaseFinalized: The lease has ended in another way.
            InvalidAmount: The usage is no whole number.
            PolicyError: It is no lease.

        Example:
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> lease = pool.reserve(400, RequestBudget(tokens=500))
            >>> try:
            ...     pool.record_used(lease, 600)
            ... except RequestBudgetExceeded as refused:
            ...     refused.requested, pool.remaining().tokens
            (600, 400)
        """

    def remaining(self) -> Remaining:
        """Return what is left, counted from the capacity: capacity - committed - reserved, never below 0."""

    def committed(self) -> Usage:
        """Return all that was booked, the estimates of unsettled leases included."""

    def reserved(self) -> Usage:
        """Return what open leases hold."""

    def open_leases(self) -> list[BudgetLease]:
        """Return the leases that are open, oldest first: handles by which they can be ended.

        Example:
            >>> pool = SharedPool(capacity_tokens=1_000)
            >>> lease = pool.reserve(400)
            >>> pool.open_leases() == [lease]
            True
            >>> for stuck in pool.open_leases():
            ...     stuck.release()
            >>> lease.state
            'released'
        """
