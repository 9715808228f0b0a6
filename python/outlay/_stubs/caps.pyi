"""What a request may use at most, and what a pool has left."""

from collections.abc import Mapping
from typing import Any, Self, final

from outlay._stubs.arguments import Amount

@final
class RequestBudget:
    """A request's own cap, beside the limits of the pool it asks.

    Args:
        tokens: The most tokens the request may use; default None, no cap.
        cost_micros_usd: The most it may cost in millionths of a US dollar; default None, no cap.

    Raises:
        InvalidAmount: A cap is no whole number from 0 to 2**64 - 1.

    Example:
        >>> pool = SharedPool(capacity_tokens=10_000)
        >>> try:
        ...     pool.reserve(600, RequestBudget(tokens=500))
        ... except RequestBudgetExceeded as refused:
        ...     refused.limit
        500
    """

    def __new__(cls, *, tokens: Amount | None = None, cost_micros_usd: Amount | None = None) -> Self: ...
    @staticmethod
    def unlimited() -> RequestBudget:
        """Return a budget without any cap."""

    @staticmethod
    def from_tokens(tokens: Amount) -> RequestBudget:
        """Return a cap of tokens alone.

        Args:
            tokens: The most tokens the request may use.
        """

    @staticmethod
    def from_cost_micros_usd(cost_micros_usd: Amount) -> RequestBudget:
        """Return a cap of cost alone.

        Args:
            cost_micros_usd: The most it may cost in millionths of a US dollar.

        Example:
            >>> RequestBudget.from_cost_micros_usd(usd("0.05"))
            RequestBudget(tokens=None, cost_micros_usd=50000)
        """

    @staticmethod
    def with_limits(tokens: Amount | None, cost_micros_usd: Amount | None) -> RequestBudget:
        """Return a cap of tokens and of cost.

        Args:
            tokens: The most tokens the request may use, None for no cap.
            cost_micros_usd: The most it may cost in millionths of a US dollar, None for no cap.
        """

    @property
    def tokens(self) -> int | None:
        """The most tokens, None for no cap."""

    @property
    def cost_micros_usd(self) -> int | None:
        """The highest cost in millionths of a US dollar, None for no cap."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them.

        Example:
            >>> RequestBudget.from_dict(RequestBudget(tokens=5).to_dict()) == RequestBudget(tokens=5)
            True
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
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class Remaining:
    """What is left in a pool, as `SharedPool.remaining` reports it.

    Args:
        tokens: Tokens left, None where they are unlimited.
        cost_micros_usd: Millionths of a US dollar left, None where cost is unlimited.
        below_threshold: Whether a limited amount is at or under its stop threshold.

    Raises:
        InvalidAmount: An amount is no whole number from 0 to 2**64 - 1.

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, stop_threshold_tokens=100)
        >>> pool.reserve(900).commit()
        >>> pool.remaining()
        Remaining(tokens=100, cost_micros_usd=None, below_threshold=True)
    """

    def __new__(
        cls, tokens: Amount | None, cost_micros_usd: Amount | None, below_threshold: bool
    ) -> Self: ...
    @property
    def tokens(self) -> int | None:
        """Tokens left, counted from the capacity; None where they are unlimited."""

    @property
    def cost_micros_usd(self) -> int | None:
        """Millionths of a US dollar left, counted from the capacity; None where cost is unlimited."""

    @property
    def below_threshold(self) -> bool:
        """Whether a limited amount is at or under its stop threshold."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them.

        Example:
            >>> Remaining.from_dict(Remaining(5, None, False).to_dict()) == Remaining(5, None, False)
            True
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
