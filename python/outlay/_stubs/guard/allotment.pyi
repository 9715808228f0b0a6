"""The allotment: a part of a guard's budgets."""

from types import TracebackType
from typing import Any, Literal, Self, final

from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Headers, Labels, Period
from outlay._stubs.leases import BudgetLease, Mailbox, Wait

@final
class Allotment:
    """A part of a guard's budgets, set aside for a sub-agent by `Guard.allot`.

    It is one lease of the parent: all parts together are never more than the parent has. It takes requests
    until it is closed. When it is closed and its last lease has ended, the remaining amounts go back. It may
    be a budget of every `wrap`, like its guard. Dropping it closes it. Its requests have its labels beside
    their own; a required label that is missing raises `PolicyError`.

    Example:
        >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000, "calls": 10}}]})
        >>> with guard.allot(tokens=300, calls=2) as part:
        ...     part.reserve(200).commit()
        ...     try:
        ...         part.reserve(200)
        ...     except BudgetExceeded as refused:
        ...         refused.remaining
        100
        >>> guard.advice()["remaining"]
        {'tokens': 800, 'calls': 9}
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def reserve(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Hold the estimate in the part, and under the limits that are not set aside.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, beside those of the part.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part has not as much left, or a rule refuses; nothing was changed.
            LeaseFinalized: The part was closed.
            LeaseExpired: The part has run out.
            PolicyError: Cost is limited, and nobody knows the price of the model.
        """

    async def reserve_wait(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `reserve` does, and wait as `Guard.reserve_wait` does; the part itself is not waited for.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, beside those of the part.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part has not as much left, or a rule refuses that nobody waits for.
            WaitTimeout: It took too long.
            LeaseFinalized: The part was closed.
            LeaseExpired: The part has run out.
        """

    def reserve_blocking(
        self,
        estimate: Estimate | None = None,
        *,
        ttl: Period | None = None,
        timeout: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> BudgetLease:
        """Do as `reserve_wait` does, in a thread without the GIL, or in a greenlet. Ctrl-C ends it.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the policy's
                `lease_ttl`.
            timeout: How long to wait at most: seconds or a timedelta; default None, the shortest wait of the
                rules that match.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Returns:
            The lease to commit.

        Raises:
            LimitExceeded: The part or a rule refuses that nobody waits for; nothing was changed.
            WaitTimeout: It took too long.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.allot(tokens=300).reserve_blocking(300).state
            'open'
        """

    def check(self, estimate: Estimate | None = None, *, labels: Labels | None = None, **named: str) -> None:
        """Raise what `reserve` would raise now; change nothing. Soft limits are checked as if they were hard.

        Args:
            estimate: What the call may use; default None, one call of no tokens.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call.

        Raises:
            LimitExceeded: The part or a rule refuses.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> try:
            ...     guard.allot(tokens=300).check(301)
            ... except BudgetExceeded as refused:
            ...     refused.remaining
            300
        """

    def charge_step(self, *, labels: Labels | None = None, **named: str) -> None:
        """Charge one step to the guard's workflows that match, or refuse: steps are not set aside.

        Args:
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the step, beside those of the part.

        Raises:
            StepLimitExceeded: A workflow has no step left.
            LeaseFinalized: The part is closed.

        Example:
            >>> guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 1, "tokens": 100}}]})
            >>> with guard.allot(tokens=50, workflow="w", run="r-1") as part:
            ...     part.charge_step()
            ...     try:
            ...         part.charge_step()
            ...     except StepLimitExceeded as refused:
            ...         refused.max_steps
            1
        """

    def observe(
        self,
        headers: Headers,
        status: int = 200,
        *,
        body: str | bytes | dict[str, Any] | list[Any] | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> None:
        """Take in what a provider says of its own rate limit, as `Guard.observe` does.

        Args:
            headers: The headers of the response: a mapping, or pairs.
            status: The status of the response; default 200.
            body: The body of an error: its text or bytes, or the dict or list that they hold; default None.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: The labels of the call, beside those of the part.

        Raises:
            PolicyError: The headers or the body are neither, or the status is no status code.
            LeaseFinalized: The part is closed.

        Example:
            >>> rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}
            >>> guard = Guard({"limiter": [rule], "budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> part = guard.allot(tokens=100)
            >>> part.observe({"retry-after": "60"}, 429)
            >>> try:
            ...     part.reserve(1)
            ... except RateLimitExceeded as refused:
            ...     refused.retry_after > 59
            True
        """

    def allot(
        self,
        *,
        tokens: Amount | None = None,
        cost_micros_usd: Amount | None = None,
        calls: Amount | None = None,
        ttl: Period | None = None,
        labels: Labels | None = None,
        **named: str,
    ) -> Allotment:
        """Set a part of this part aside, as `Guard.allot` does.

        Args:
            tokens: Tokens; default None, not set aside.
            cost_micros_usd: Millionths of a US dollar; default None, not set aside.
            calls: Calls; default None, not set aside.
            ttl: When the part takes no more requests, in seconds or as a timedelta; it runs out then, or when
                its last lease has ended; default None, 100 years.
            labels: Labels as a mapping, beside the keywords; default None.
            **named: More labels.

        Returns:
            The part of the part.

        Raises:
            LimitExceeded: There is not as much left.
            LeaseFinalized: This part was closed.
            LeaseExpired: This part has run out.
            PolicyError: Nothing is to be set aside.
        """

    def remaining(self) -> dict[str, int | None]:
        """Return what is left of the part: "tokens", "cost_micros_usd" and "calls", None if not set aside.

        Raises:
            LeaseFinalized: The part was closed.

        Example:
            >>> guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]})
            >>> guard.allot(tokens=300).remaining()
            {'tokens': 300, 'cost_micros_usd': None, 'calls': None}
        """

    def close(self) -> None:
        """Take no more requests; what is left goes back once the last lease has ended. It never raises."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> Literal[False]: ...
    def _estimating(self) -> tuple[Literal["strict", "expected"] | None, int | None]: ...
    def _cost_source(self) -> Literal["larger", "provider", "computed"]: ...
    def _run(self) -> str | None: ...
    def _accounts(self) -> list[int]: ...
    def _try_reserve(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
    ) -> BudgetLease | None: ...
    def _wait(
        self,
        estimate: Estimate | None,
        ttl: Period | None,
        timeout: Period | None,
        labels: Labels | None,
        named: dict[str, str],
        mailbox: Mailbox,
    ) -> Wait: ...
