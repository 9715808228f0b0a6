"""The token budget of one agent."""

from collections.abc import Callable, Mapping
from typing import Any, Self, final

from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Ending, Id, Period
from outlay._stubs.clocks import Clock
from outlay._stubs.leases import BudgetLease
from outlay._stubs.stores.store import StoreArg

@final
class AgentTokenBudget:
    """The tokens that one agent may use in each period.

    The first period starts when the budget is made, and the next ones follow without a gap. `daily` and
    `hourly` are 24 hours and 1 hour from creation, not calendar days and hours. What was used is forgotten
    when a period ends; debt does not carry over.

    An operation multiplies its tokens: query 1, embedding 5, vector_search 10, write 2, transaction 3, any
    other 1.

    Args:
        agent_id: The agent.
        total_tokens: Tokens in a period; with 0 everything above 0 is refused.
        period: The length of a period: seconds or a timedelta.
        warning_threshold: The share of the total, 0 to 1, from which on `is_warning` is true; default 0.8.
        hard_limit: False: `consume` and `reserve` never refuse, usage is counted above the total, and `check`
            still reports. Default True.
        operation_costs: What one token costs by operation; replaces the costs above. Default None keeps them.
        on_warning: Called with the budget once in each period, when `used` reaches the threshold; open leases
            do not count. An exception that it raises is logged (logger "outlay") and goes no further. Default
            None.
        lease_ttl: How long a lease lives unless `reserve` says otherwise: seconds or a timedelta; default
            None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`; default
            None, in this object alone.

    Raises:
        InvalidId: The agent's id or the name of an operation is not allowed.
        InvalidAmount: The total or the cost of an operation is no whole number.
        PolicyError: Another argument makes no sense.

    Example:
        >>> budget = AgentTokenBudget("a-1", 1_000, 3600, operation_costs={"search": 10})
        >>> budget.consume("query", 300)
        >>> budget.consume("search", 50)
        >>> budget.used(), budget.is_warning()
        (800, True)
        >>> try:
        ...     budget.consume("search", 50)
        ... except BudgetExceeded as refused:
        ...     refused.requested, refused.remaining
        (500, 200)
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        agent_id: Id,
        total_tokens: Amount,
        period: Period,
        *,
        warning_threshold: float = 0.8,
        hard_limit: bool = True,
        operation_costs: Mapping[str, Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
    ) -> Self: ...
    @classmethod
    def daily(
        cls,
        agent_id: Id,
        tokens: Amount,
        *,
        warning_threshold: float = 0.8,
        hard_limit: bool = True,
        operation_costs: Mapping[str, Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
    ) -> Self:
        """Return a budget of so many tokens in each 24 hours from now (not calendar days).

        Args:
            agent_id: The agent.
            tokens: Tokens in 24 hours.
            warning_threshold: As in the class.
            hard_limit: As in the class.
            operation_costs: As in the class.
            on_warning: As in the class.
            lease_ttl: As in the class.
            unsettled: As in the class.
            on_error: As in the class.
            clock: As in the class.
            store: As in the class.
        """

    @classmethod
    def hourly(
        cls,
        agent_id: Id,
        tokens: Amount,
        *,
        warning_threshold: float = 0.8,
        hard_limit: bool = True,
        operation_costs: Mapping[str, Amount] | None = None,
        on_warning: Callable[[AgentTokenBudget], object] | None = None,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
    ) -> Self:
        """Return a budget of so many tokens in each hour from now (not calendar hours).

        Args:
            agent_id: The agent.
            tokens: Tokens in an hour.
            warning_threshold: As in the class.
            hard_limit: As in the class.
            operation_costs: As in the class.
            on_warning: As in the class.
            lease_ttl: As in the class.
            unsettled: As in the class.
            on_error: As in the class.
            clock: As in the class.
            store: As in the class.
        """

    def consume(self, operation: str, estimated_tokens: Amount) -> None:
        """Book the operation's cost times the tokens at once.

        Args:
            operation: What is done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Raises:
            BudgetExceeded: It does not fit; nothing was changed. Never where `hard_limit` is False.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 100)
            >>> budget.consume("write", 30)
            >>> budget.used()
            60
        """

    def try_consume(self, operation: str, estimated_tokens: Amount) -> bool:
        """Book as `consume` does, without an exception for a refusal.

        Args:
            operation: What is done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Returns:
            True if it was booked; False if it does not fit, and nothing was changed.

        Raises:
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.
        """

    def check(self, operation: str, estimated_tokens: Amount) -> None:
        """Refuse what `consume` would refuse, and change nothing in any case.

        Another thread may take the room that was there; `consume` checks and books in one step. A limit that
        is not hard is reported as if it were.

        Args:
            operation: What would be done; its cost multiplies the tokens.
            estimated_tokens: Tokens.

        Raises:
            BudgetExceeded: It would not fit.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 100, hard_limit=False)
            >>> budget.consume("query", 150)
            >>> budget.usage_percentage()
            1.5
            >>> try:
            ...     budget.check("query", 1)
            ... except BudgetExceeded as refused:
            ...     refused.used
            150
        """

    def reserve(
        self, operation: str, estimated_tokens: Estimate, *, ttl: Period | None = None
    ) -> BudgetLease:
        """Hold the operation's cost times the tokens until the lease ends.

        The cost multiplies the committed tokens as it did the estimate: commit what the call really used.

        Args:
            operation: What will be done; its cost multiplies the tokens.
            estimated_tokens: Tokens, or a `UsageEstimate` of which the total counts.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the budget's
                `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            BudgetExceeded: It does not fit; nothing was changed. Never where `hard_limit` is False.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The name of the operation is not allowed.
            PolicyError: The time to live is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 1_000)
            >>> with budget.reserve("embedding", 100) as lease:
            ...     held = budget.reserved()
            ...     lease.commit(80)
            >>> held, budget.used()
            (500, 400)
        """

    def remaining(self) -> int:
        """Return the tokens left in this period: total - used - reserved, never below 0."""

    def used(self) -> int:
        """Return the tokens booked in this period."""

    def reserved(self) -> int:
        """Return the tokens that open leases hold."""

    def usage_percentage(self) -> float:
        """Return used / total: a share, 0.0 to 1.0, and above in debt or where the limit is not hard.

        What leases hold does not count. It is 1.0 where the total is 0.
        """

    def is_warning(self) -> bool:
        """Return whether `usage_percentage` has reached the warning threshold."""

    def time_until_reset(self) -> float:
        """Return the seconds until the next period."""

    def reset(self) -> None:
        """Start a new period now, in which nothing is used; open leases settle in the old one."""

    def add_operation_cost(self, operation: str, cost: Amount) -> None:
        """Set what one token of an operation costs from now on.

        Args:
            operation: The operation.
            cost: What its tokens are multiplied with.

        Raises:
            InvalidAmount: The cost is no whole number.
            InvalidId: The name of the operation is not allowed.

        Example:
            >>> budget = AgentTokenBudget.hourly("a-1", 1_000)
            >>> budget.add_operation_cost("rerank", 4)
            >>> budget.consume("rerank", 10)
            >>> budget.used()
            40
        """

    @property
    def operation_costs(self) -> dict[str, int]:
        """What one token costs by operation, as a copy."""

    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def total_tokens(self) -> int:
        """Tokens in a period."""

    @property
    def period(self) -> float:
        """The length of a period in seconds."""

    @property
    def warning_threshold(self) -> float:
        """The share of the total at which a warning is due."""

    @property
    def hard_limit(self) -> bool:
        """Whether it refuses what does not fit."""
