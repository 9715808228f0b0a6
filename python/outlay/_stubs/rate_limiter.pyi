"""The limiter of tokens per minute."""

from typing import Any, Self, final

from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Ending, Headers, Period
from outlay._stubs.clocks import Clock
from outlay._stubs.leases import BudgetLease, Mailbox, Wait
from outlay._stubs.stores.store import StoreArg

@final
class RateLimiter:
    """A sliding limiter of actual usage: no span of the window ever holds more than the limit.

    Usage counts for one window, and for up to a sixtieth of it more. Memory and cost per call do not grow
    with the number of events. Waiting calls are served first in, first out, at the moment at which their
    capacity frees; calls that do not wait never overtake them.

    There are two ways to use it. `acquire_slot` and `try_acquire` check for room, and `record_usage` records
    the usage afterwards. `reserve`, `reserve_wait` and `reserve_blocking` hold the estimate until the call
    has ended, so that a crowd cannot pass one check; their leases are committed with the actual usage.

    Args:
        tokens_per_minute: Tokens in any 60 seconds.
        threshold: The share of the limit, above 0 and at most 1, from which on no more slots are given out
            (reservations may use all of it); default None, 0.8.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`; default
            None, in this object alone.
        name: What tells it from others of its class in its store; default None, "limiter".

    Raises:
        InvalidAmount: The limit is no whole number.
        PolicyError: The threshold, or another argument, makes no sense.

    Example:
        >>> limiter = RateLimiter(1_000)
        >>> limiter.try_acquire()
        True
        >>> limiter.record_usage(900)
        >>> limiter.try_acquire()
        False
        >>> with limiter.reserve(100) as lease:
        ...     lease.commit(80)
        >>> limiter.current_usage()
        980
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        tokens_per_minute: Amount,
        *,
        threshold: float | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
        name: str | None = None,
    ) -> Self: ...
    @staticmethod
    def per(
        tokens: Amount,
        period: Period,
        *,
        threshold: float | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
        name: str | None = None,
    ) -> RateLimiter:
        """Make a limiter over any period.

        Args:
            tokens: Tokens in any span of the period.
            period: The length of the window: seconds or a timedelta.
            threshold: As for the class.
            lease_ttl: As for the class.
            unsettled: As for the class.
            on_error: As for the class.
            clock: As for the class.
            store: As for the class.
            name: As for the class.

        Returns:
            The limiter.

        Raises:
            InvalidAmount: The limit is no whole number.
            PolicyError: The period or another argument makes no sense.

        Example:
            >>> RateLimiter.per(10_000, 3_600).window
            3600.0
        """

    @property
    def limit(self) -> int:
        """Tokens in a window."""

    @property
    def window(self) -> float:
        """The length of the window in seconds."""

    @property
    def threshold(self) -> float:
        """The share of the limit from which on no more slots are given out."""

    @property
    def tokens_per_minute(self) -> float:
        """The limit as tokens a minute: the limit itself where the window is a minute."""

    async def acquire_slot(self, tokens: Amount = 0, *, timeout: Period | None = None) -> None:
        """Wait, first in, first out, until less than the threshold is used and `tokens` more fit.

        `tokens` above 0 are held until the next `record_usage`, or for a sixtieth of the window, so that a
        crowd does not pass one check. `tokens=0` is advice alone. Where there is room, it does not suspend.
        Cancelled, it leaves the queue, and gives back what it was given and has not received.

        Args:
            tokens: Tokens that the call will use, if known; default 0.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Raises:
            RateLimitExceeded: `tokens` can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: `tokens` is no whole number.
            PolicyError: The timeout is negative or no time.

        Example:
            >>> import asyncio
            >>> limiter = RateLimiter(1_000)
            >>> asyncio.run(limiter.acquire_slot(200))
        """

    def acquire_slot_blocking(self, tokens: Amount = 0, *, timeout: Period | None = None) -> None:
        """Do as `acquire_slot` does, in a thread without the GIL, or in a greenlet. Ctrl-C ends it.

        Args:
            tokens: Tokens that the call will use, if known; default 0.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.

        Raises:
            RateLimitExceeded: `tokens` can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: `tokens` is no whole number.
            PolicyError: The timeout is negative or no time.
        """

    def try_acquire(self, tokens: Amount = 0) -> bool:
        """Do as `acquire_slot` does where there is room and nobody waits; else return False.

        Args:
            tokens: Tokens that the call will use, if known; default 0.

        Returns:
            Whether the caller was let through.

        Raises:
            InvalidAmount: `tokens` is no whole number.
        """

    def reserve(
        self, tokens: Estimate, *, ttl: Period | None = None, model: str | None = None
    ) -> BudgetLease:
        """Hold the estimate against the full limit until the lease ends.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.
            model: The model of the call, which is then bound by what was heard of it, and not of others;
                default None, what was heard of any model bounds it.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: There is no room, or others wait for it; nothing was changed.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live is not allowed.
        """

    async def reserve_wait(
        self,
        tokens: Estimate,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        model: str | None = None,
    ) -> BudgetLease:
        """Wait, first in, first out, until `reserve` is possible.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.
            model: The model of the call, which is then bound by what was heard of it, and not of others;
                default None, what was heard of any model bounds it.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: The estimate can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live or the timeout is not allowed.

        Example:
            >>> import asyncio
            >>> async def call(limiter):
            ...     with await limiter.reserve_wait(500) as lease:
            ...         lease.commit(420)  # what the provider says was used
            >>> limiter = RateLimiter(1_000)
            >>> asyncio.run(call(limiter))
            >>> limiter.current_usage()
            420
        """

    def reserve_blocking(
        self,
        tokens: Estimate,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        model: str | None = None,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread without the GIL, or in a greenlet. Ctrl-C ends it.

        Args:
            tokens: What the call may use: tokens, or a `UsageEstimate`.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the limiter's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta, 0 to not wait; default None, for ever.
            model: The model of the call, which is then bound by what was heard of it, and not of others;
                default None, what was heard of any model bounds it.

        Returns:
            The lease to commit with what was used.

        Raises:
            RateLimitExceeded: The estimate can never fit; nothing was changed.
            WaitTimeout: It took too long.
            InvalidAmount: The estimate is no whole number.
            PolicyError: The time to live or the timeout is not allowed.
        """

    def record_usage(self, tokens: Estimate) -> None:
        """Book what was used; never refused, even above the limit.

        It ends the oldest hold of `acquire_slot` or `try_acquire` that is still open.

        Args:
            tokens: What was used: tokens, or a `Usage`.

        Raises:
            InvalidAmount: `tokens` is no whole number.
        """

    def current_usage(self) -> int:
        """Return the tokens that were used in the window."""

    def retry_after(self, tokens: Amount = 0) -> float:
        """Return the seconds until `try_acquire(tokens)` could pass: 0.0 for now, `inf` for never.

        Args:
            tokens: Tokens that the call will use, if known; default 0.

        Returns:
            Seconds; those who wait already come first.

        Raises:
            InvalidAmount: `tokens` is no whole number.
        """

    def observe(
        self,
        headers: Headers,
        status: int = 200,
        *,
        body: str | bytes | dict[str, Any] | list[Any] | None = None,
        model: str | None = None,
    ) -> None:
        """Take in the rate limit that a provider's response reports; the limiter never admits above it.

        It reads the rate-limit headers of providers, in any case, and the wait in the body of an error. The
        page on the limiter lists them. What is missing, negative or unreadable is ignored; 0 is honoured.
        Each limit is kept by the name of what it counts and of its window, until its reset.

        With status 429 nothing is admitted until the time that the response names, or for a sixtieth of the
        window if it names none. After that, at most a sixtieth of the limit starts in each sixtieth of the
        window, for one window. With 503 and 529 nothing is admitted only if the response names a time.

        Book a call (`record_usage`, or the commit of its lease) before you observe its response: then the
        remaining amount is exactly that of the response. The other way round, the call counts a second time.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            body: The body of an error: its text or bytes, or the dict or list that they hold; default None.
            model: The model of the call: what is heard bounds its calls, and those that name no model;
                default None, it bounds all calls. A date at the end of the name is left out.

        Raises:
            PolicyError: The headers or the body are neither, or the status is no status code.
            InvalidId: The name of the model is empty or too long.

        Example:
            >>> limiter = RateLimiter(100_000)
            >>> limiter.observe({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"})
            >>> limiter.try_acquire(), round(limiter.retry_after())
            (False, 360)
        """

    def _try_slot(self, tokens: Amount, timeout: Period | None) -> bool: ...
    def _wait_for_slot(self, tokens: Amount, timeout: Period | None, mailbox: Mailbox) -> Wait: ...
    def _try_reserve(
        self, tokens: Estimate, ttl: Period | None, timeout: Period | None, model: str | None
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        tokens: Estimate,
        ttl: Period | None,
        timeout: Period | None,
        model: str | None,
        mailbox: Mailbox,
    ) -> Wait: ...
