"""The values that `BudgetManager` takes and returns for one agent."""

from collections.abc import Mapping
from typing import Any, Self, final

from outlay._stubs.arguments import Amount, Id, Period

@final
class BudgetLimit:
    """The budget of one agent, for `BudgetManager.set_budget`.

    Args:
        agent_id: The agent.
        token_budget: Tokens in a window, None for no limit.
        calls_budget: Calls in a window, None for no limit.
        window_secs: The length of a window: seconds or a timedelta; None for one window that never ends.

    Raises:
        InvalidId: The agent's id is not allowed.
        InvalidAmount: A budget is no whole number.
        PolicyError: The window is not allowed.

    Example:
        >>> limit = BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=None, window_secs=60)
        >>> limit.token_budget, limit.calls_budget, limit.window_secs
        (1000, None, 60.0)
    """

    def __new__(
        cls,
        *,
        agent_id: Id,
        token_budget: Amount | None,
        calls_budget: Amount | None,
        window_secs: Period | None,
    ) -> Self: ...
    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def token_budget(self) -> int | None:
        """Tokens in a window, None for no limit."""

    @property
    def calls_budget(self) -> int | None:
        """Calls in a window, None for no limit."""

    @property
    def window_secs(self) -> float | None:
        """The length of a window in seconds, None for one that never ends."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a value of a dict, such as `to_dict` gives.

        Args:
            data: The fields by name. What is left out has the default of the class.

        Raises:
            PolicyError: A field is unknown or missing, or this is no dict.
            InvalidAmount: A count or a limit is no whole number from 0 to 2**64 - 1.
            InvalidId: The agent is no `str` of 1 to 1,024 bytes.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class BudgetInfo:
    """What an agent has left, as `BudgetManager.remaining` reports it.

    Args:
        tokens_remaining: Tokens left, None where they are unlimited.
        calls_remaining: Calls left, None where they are unlimited.
        window_remaining_secs: Seconds until the next window, None where the window never ends.
        is_exhausted: Whether tokens or calls are used up, or the agent has no budget.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.

    Example:
        >>> BudgetManager().remaining("nobody").is_exhausted
        True
    """

    def __new__(
        cls,
        tokens_remaining: Amount | None,
        calls_remaining: Amount | None,
        window_remaining_secs: float | None,
        is_exhausted: bool,
    ) -> Self: ...
    @property
    def tokens_remaining(self) -> int | None:
        """Tokens left, None where they are unlimited."""

    @property
    def calls_remaining(self) -> int | None:
        """Calls left, None where they are unlimited."""

    @property
    def window_remaining_secs(self) -> float | None:
        """Seconds until the next window, None where the window never ends."""

    @property
    def is_exhausted(self) -> bool:
        """Whether tokens or calls are used up, or the agent has no budget."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them.

        Example:
            >>> BudgetInfo.from_dict(BudgetInfo(5, None, 60.0, False).to_dict()).window_remaining_secs
            60.0
        """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a value of a dict, such as `to_dict` gives.

        Args:
            data: The fields by name. What is left out has the default of the class.

        Raises:
            PolicyError: A field is unknown or missing, or this is no dict.
            InvalidAmount: A count or a limit is no whole number from 0 to 2**64 - 1.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class FullBudgetInfo:
    """All about an agent's budget, as `BudgetManager.full_info` reports it.

    Args:
        agent_id: The agent.
        token_limit: Tokens in a window, None for no limit.
        tokens_used: Tokens booked in this window.
        tokens_remaining: Tokens left, None where they are unlimited.
        calls_limit: Calls in a window, None for no limit.
        calls_used: Calls booked in this window.
        calls_remaining: Calls left, None where they are unlimited.
        window_secs: The length of a window in seconds, None where it never ends.
        window_remaining_secs: Seconds until the next window, None where none will come.
        is_exhausted: Whether tokens or calls are used up.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.

    Example:
        >>> manager = BudgetManager()
        >>> manager.set_budget(
        ...     BudgetLimit(agent_id="a-1", token_budget=100, calls_budget=None, window_secs=None)
        ... )
        >>> manager.reserve("a-1", 40)
        >>> info = manager.full_info("a-1")
        >>> info.tokens_used, info.tokens_remaining, info.calls_remaining
        (40, 60, None)
    """

    def __new__(
        cls,
        agent_id: str,
        token_limit: Amount | None,
        tokens_used: Amount,
        tokens_remaining: Amount | None,
        calls_limit: Amount | None,
        calls_used: Amount,
        calls_remaining: Amount | None,
        window_secs: float | None,
        window_remaining_secs: float | None,
        is_exhausted: bool,
    ) -> Self: ...
    @property
    def agent_id(self) -> str:
        """The agent."""

    @property
    def token_limit(self) -> int | None:
        """Tokens in a window, None for no limit."""

    @property
    def tokens_used(self) -> int:
        """Tokens booked in this window."""

    @property
    def tokens_remaining(self) -> int | None:
        """Tokens left, None where they are unlimited."""

    @property
    def calls_limit(self) -> int | None:
        """Calls in a window, None for no limit."""

    @property
    def calls_used(self) -> int:
        """Calls booked in this window."""

    @property
    def calls_remaining(self) -> int | None:
        """Calls left, None where they are unlimited."""

    @property
    def window_secs(self) -> float | None:
        """The length of a window in seconds, None where it never ends."""

    @property
    def window_remaining_secs(self) -> float | None:
        """Seconds until the next window, None where none will come."""

    @property
    def is_exhausted(self) -> bool:
        """Whether tokens or calls are used up."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make a value of a dict, such as `to_dict` gives.

        Args:
            data: The fields by name. What is left out has the default of the class.

        Raises:
            PolicyError: A field is unknown or missing, or this is no dict.
            InvalidAmount: A count or a limit is no whole number from 0 to 2**64 - 1.
            InvalidId: The agent is no `str` of 1 to 1,024 bytes.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
