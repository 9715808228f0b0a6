"""The budgets of many agents."""

import os
from typing import Any, Self, final

from outlay._stubs.amounts import Estimate
from outlay._stubs.arguments import Amount, Ending, Id, Period
from outlay._stubs.budget_info import BudgetInfo, BudgetLimit, FullBudgetInfo
from outlay._stubs.clocks import Clock
from outlay._stubs.leases import BudgetLease
from outlay._stubs.stores.store import StoreArg

@final
class BudgetManager:
    """Token and call budgets of many agents, each in a window of its own.

    An agent without a budget is refused. Leases come from the handle of one agent, `agent`.

    Args:
        lease_ttl: How long a lease lives unless `AgentBudget.reserve` says otherwise: seconds or a timedelta;
            default None, 900 seconds.
        unsettled: What is booked for a lease whose usage never came: "charge" (default) the estimate,
            "release" nothing.
        on_error: What is booked for a lease whose block is left by an error: "release" (default) no tokens
            and no money, "charge" the estimate. Either way a request counts, and a time-out is charged.
        clock: Where time comes from; default None, the machine's clocks.
        store: Where the counts are kept, for all processes and after a restart: a URL or a `Store`; default
            None, in this object alone.

    Raises:
        PolicyError: An argument makes no sense.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=10, window_secs=3600)
        ... )
        >>> manager.reserve("a-1", 400)
        >>> manager.track_call("a-1")
        >>> manager.remaining("a-1").tokens_remaining
        600
        >>> try:
        ...     manager.reserve("a-2", 1)
        ... except NotConfigured as refused:
        ...     refused.message
        'No budget configured for agent a-2'
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(
        cls,
        *,
        lease_ttl: Period | None = None,
        unsettled: Ending = "charge",
        on_error: Ending = "release",
        clock: Clock | None = None,
        store: StoreArg | None = None,
    ) -> Self: ...
    def set_budget(self, limit: BudgetLimit) -> None:
        """Set or change the budget of an agent.

        A new agent's window starts now. An agent that has a budget keeps what it used, and a window whose
        length is changed keeps its start.

        Args:
            limit: The agent and its budget.

        Raises:
            PolicyError: It is no BudgetLimit.
        """

    def remove_budget(self, agent_id: Id) -> bool:
        """Remove the budget of an agent, which is refused from now on; its open leases still end.

        Args:
            agent_id: The agent.

        Returns:
            True if it had a budget.

        Raises:
            InvalidId: The id is not allowed.
        """

    def reserve(self, agent_id: Id, tokens: Amount) -> None:
        """Charge tokens at once: no lease is made, and nothing is left to commit.

        Args:
            agent_id: The agent.
            tokens: Tokens.

        Raises:
            BudgetExceeded: They do not fit; nothing was changed.
            NotConfigured: The agent has no budget.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The id is not allowed.
        """

    def release(self, agent_id: Id, tokens: Amount) -> None:
        """Give tokens back to the current window; what is used never goes below 0.

        It names no reservation: what was charged in an earlier window comes back in this one.

        Args:
            agent_id: The agent.
            tokens: Tokens.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidAmount: The tokens are no whole number.
            InvalidId: The id is not allowed.
        """

    def track_call(self, agent_id: Id) -> None:
        """Charge one call.

        Args:
            agent_id: The agent.

        Raises:
            BudgetExceeded: The calls of this window are used up (`kind` "call"); nothing was changed.
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.
        """

    def remaining(self, agent_id: Id) -> BudgetInfo:
        """Return what an agent has left; an agent without a budget has nothing left.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.
        """

    def can_schedule(self, agent_id: Id) -> bool:
        """Return whether an agent has tokens and calls left; False for an agent without a budget.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.
        """

    def reset_window(self, agent_id: Id) -> None:
        """Start a new window of an agent now, in which nothing is used.

        Args:
            agent_id: The agent.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.
        """

    def full_info(self, agent_id: Id) -> FullBudgetInfo | None:
        """Return all about an agent's budget, None if it has none.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.
        """

    def all_full_info(self) -> list[FullBudgetInfo]:
        """Return all about all budgets, in the order of the agents' ids."""

    def agent(self, agent_id: Id) -> AgentBudget:
        """Return a handle for one agent.

        Args:
            agent_id: The agent.

        Raises:
            NotConfigured: The agent has no budget.
            InvalidId: The id is not allowed.
        """

    def persist(self, path: str | os.PathLike[str]) -> None:
        """Write all budgets to a file, so that they survive the process.

        The file is JSON with wall-clock times. Missing folders are made; the file is written beside its place
        and renamed, so that a reader finds the old one or the new one, whole. What open leases hold is
        written as used, unless unsettled leases are released.

        Args:
            path: The file.

        Raises:
            StoreUnavailable: It cannot be written, or what is there is no regular file, and stays as it is.

        Example:
            >>> import pathlib, tempfile
            >>> limit = BudgetLimit(agent_id="a-1", token_budget=100, calls_budget=None, window_secs=3600)
            >>> manager = BudgetManager()
            >>> manager.set_budget(limit)
            >>> manager.reserve("a-1", 40)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = pathlib.Path(folder) / "budgets.json"
            ...     manager.persist(path)
            ...     later = BudgetManager()
            ...     later.restore(path)
            True
            >>> later.full_info("a-1").tokens_used
            40
        """

    def restore(self, path: str | os.PathLike[str]) -> bool:
        """Read all budgets from a file, in place of those that are here.

        Windows that ended in the meantime are over; a wall clock that was stepped back refills nothing. Open
        leases settle in the windows in which they were reserved.

        Args:
            path: The file that `persist` wrote, or one of the system that this class continues: JSON of two
                maps by agent. `budgets` has `token_budget`, `calls_budget` and `window_secs`; `usage` has
                `tokens_used`, `calls_used` and `window_start` (RFC 3339). Null is no limit.

        Returns:
            True; or False if there is no such file, and nothing was changed.

        Raises:
            StoreCorrupt: It is not such a file; nothing was changed, in memory and in the file.
            StoreUnavailable: It cannot be read, or it is no regular file.
        """

@final
class AgentBudget:
    """A handle for one agent of a `BudgetManager`.

    It follows its agent: a budget that is changed, or removed and set anew, is the one it asks.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=10, window_secs=3600)
        ... )
        >>> agent = manager.agent("a-1")
        >>> with agent.reserve(400) as lease:
        ...     lease.commit(250)
        >>> agent.remaining().tokens_remaining, agent.remaining().calls_remaining
        (750, 9)
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    @property
    def agent_id(self) -> str:
        """The agent."""

    def reserve(self, tokens: Estimate, *, ttl: Period | None = None) -> BudgetLease:
        """Hold tokens and one call until the lease ends.

        Args:
            tokens: Tokens, or a `UsageEstimate` of which the total counts.
            ttl: When the lease runs out, in seconds or as a timedelta; default None, the manager's
                `lease_ttl`.

        Returns:
            The lease to commit.

        Raises:
            BudgetExceeded: Tokens or calls do not fit; nothing was changed.
            NotConfigured: The agent's budget was removed.
            InvalidAmount: The tokens are no whole number.
            PolicyError: The time to live is not allowed.
        """

    def charge(self, tokens: Amount, calls: Amount = 1) -> None:
        """Charge tokens and calls at once: both, or neither.

        Args:
            tokens: Tokens.
            calls: Calls; default None, one.

        Raises:
            BudgetExceeded: Tokens or calls do not fit; nothing was changed.
            NotConfigured: The agent's budget was removed.
            InvalidAmount: An amount is no whole number.
        """

    def track_call(self) -> None:
        """Charge one call.

        Raises:
            BudgetExceeded: The calls of this window are used up (`kind` "call"); nothing was changed.
            NotConfigured: The agent's budget was removed.
        """

    def remaining(self) -> BudgetInfo:
        """Return what the agent has left; nothing once its budget was removed."""
