"""The amounts of tokens, calls and money: used, estimated, capped and remaining."""

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias, final

from outlay._stubs.arguments import Amount, Prices
from outlay._stubs.prices import PriceTable

@final
class Usage:
    """The tokens and the cost of one call, or of many.

    `input_tokens` includes what was read from and written to a cache, `output_tokens` includes reasoning, so
    the finer counts are parts and never added on top. Limits of tokens count `total_tokens`.

    Args:
        input_tokens: Prompt tokens, cache included; default 0.
        output_tokens: Generated tokens, reasoning included; default 0.
        total_tokens: What limits count; default input + output.
        cost_micros_usd: The cost in millionths of a US dollar; default 0.
        cache_read_tokens: The part of the input that was read from a cache; default 0.
        cache_write_tokens: The part of the input that was written to a cache; default 0.
        cache_write_1h_tokens: The part of what was written that is kept for an hour; default 0.
        reasoning_tokens: The part of the output that was reasoning; default 0.
        audio_input_tokens: The part of the input that was sound; default 0.
        audio_output_tokens: The part of the output that was sound; default 0.
        units: What is billed beside tokens, as whole counts by name; default none.
        billed_as: How the call is billed: the names of the multipliers that apply, such as "priority" or
            "batch"; default none.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1, or input + output is above that. Or a
            name is not 1 to 64 lowercase letters, digits, "_", "-", "." and ":".

    In a sum, counts and units add. The sum is billed as what both are billed as, and a usage of nothing
    changes nothing. A unit of which nothing was used is left out.

    Example:
        >>> usage = Usage(input_tokens=100, output_tokens=20, cost_micros_usd=450)
        >>> usage.total_tokens
        120
        >>> (usage + Usage(total_tokens=5)).total_tokens
        125
        >>> import pickle
        >>> pickle.loads(pickle.dumps(usage)) == usage
        True
        >>> searched = Usage(input_tokens=100, units={"web_search": 3}, billed_as=("priority",))
        >>> (searched + Usage(units={"web_search": 1})).units
        {'web_search': 4}
    """

    def __new__(
        cls,
        *,
        input_tokens: Amount | None = None,
        output_tokens: Amount | None = None,
        total_tokens: Amount | None = None,
        cost_micros_usd: Amount | None = None,
        cache_read_tokens: Amount | None = None,
        cache_write_tokens: Amount | None = None,
        cache_write_1h_tokens: Amount | None = None,
        reasoning_tokens: Amount | None = None,
        audio_input_tokens: Amount | None = None,
        audio_output_tokens: Amount | None = None,
        units: Mapping[str, Amount] | None = None,
        billed_as: Iterable[str] | None = None,
    ) -> Self: ...
    @staticmethod
    def zero() -> Usage:
        """Return a usage of nothing: the start of a sum.

        Example:
            >>> sum([Usage(total_tokens=1), Usage(total_tokens=2)], Usage.zero()).total_tokens
            3
        """

    @classmethod
    def from_response(
        cls, obj: Any, *, model: str | None = None, prices: Prices | PriceTable | None = None
    ) -> Self:
        """Read the usage that a response carries.

        It reads responses, stream events and usages of OpenAI (chat and responses), Anthropic and Gemini. It
        also reads messages and results of LangChain, usages and results of pydantic-ai, and dicts of one of
        these shapes. No vendor's package is imported.

        Args:
            obj: The response, its usage, or either as a dict.
            model: The name under which the price is looked up; default: the name in the response.
            prices: USD per million tokens by model, as text; default None leaves the cost at 0.

        Returns:
            The usage, with its cost in micro-USD (rounded up once) where prices are given.

        Raises:
            InvalidAmount: It carries no usage, or a count in it is no whole number.
            PolicyError: Prices are given, and the model is not named or has none: it never costs 0.

        Example:
            >>> response = {"model": "gpt-x", "usage": {"prompt_tokens": 1_000, "completion_tokens": 100}}
            >>> Usage.from_response(response).total_tokens
            1100
            >>> prices = {"gpt-x": {"input": "2.50", "output": "10.00"}}
            >>> Usage.from_response(response, prices=prices).cost_micros_usd
            3500
        """

    @property
    def input_tokens(self) -> int:
        """Prompt tokens, cache included."""

    @property
    def output_tokens(self) -> int:
        """Generated tokens, reasoning included."""

    @property
    def total_tokens(self) -> int:
        """What limits of tokens count."""

    @property
    def cost_micros_usd(self) -> int:
        """The cost in millionths of a US dollar."""

    @property
    def cache_read_tokens(self) -> int:
        """The part of the input that was read from a cache."""

    @property
    def cache_write_tokens(self) -> int:
        """The part of the input that was written to a cache."""

    @property
    def cache_write_1h_tokens(self) -> int:
        """The part of what was written to a cache that is kept there for an hour."""

    @property
    def reasoning_tokens(self) -> int:
        """The part of the output that was reasoning."""

    @property
    def audio_input_tokens(self) -> int:
        """The part of the input that was sound."""

    @property
    def audio_output_tokens(self) -> int:
        """The part of the output that was sound."""

    @property
    def units(self) -> dict[str, int]:
        """What is billed beside tokens, as whole counts by name: a copy each time."""

    @property
    def billed_as(self) -> tuple[str, ...]:
        """The names of the multipliers that apply, each once, in the order of the alphabet."""

    def __add__(self, other: Usage, /) -> Usage: ...
    def __radd__(self, other: Usage, /) -> Usage: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

@final
class UsageEstimate:
    """What a call may use: the shape of `Usage`, to be asked for before the call.

    Args:
        input_tokens: Prompt tokens, cache included; default 0.
        output_tokens: Generated tokens, reasoning included; default 0.
        total_tokens: What limits count; default input + output.
        cost_micros_usd: The cost in millionths of a US dollar; default 0.
        cache_read_tokens: The part of the input that comes from a cache; default 0.
        cache_write_tokens: The part of the input that goes to a cache; default 0.
        cache_write_1h_tokens: The part of what goes there that is kept for an hour; default 0.
        reasoning_tokens: The part of the output that is reasoning; default 0.
        audio_input_tokens: The part of the input that is sound; default 0.
        audio_output_tokens: The part of the output that is sound; default 0.
        units: What is billed beside tokens, as whole counts by name; default none.
        billed_as: How the call is billed: the names of the multipliers that apply, such as "priority" or
            "batch"; default none.

    Raises:
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1, or input + output is above that. Or a
            name is not 1 to 64 lowercase letters, digits, "_", "-", "." and ":".

    Example:
        >>> pool = SharedPool(capacity_tokens=1_000, capacity_cost_micros_usd=usd("0.01"))
        >>> lease = pool.reserve(UsageEstimate(input_tokens=300, output_tokens=100, cost_micros_usd=2_500))
        >>> lease.reserved.total_tokens
        400
        >>> lease.release()
    """

    def __new__(
        cls,
        *,
        input_tokens: Amount | None = None,
        output_tokens: Amount | None = None,
        total_tokens: Amount | None = None,
        cost_micros_usd: Amount | None = None,
        cache_read_tokens: Amount | None = None,
        cache_write_tokens: Amount | None = None,
        cache_write_1h_tokens: Amount | None = None,
        reasoning_tokens: Amount | None = None,
        audio_input_tokens: Amount | None = None,
        audio_output_tokens: Amount | None = None,
        units: Mapping[str, Amount] | None = None,
        billed_as: Iterable[str] | None = None,
    ) -> Self: ...
    @staticmethod
    def zero() -> UsageEstimate:
        """Return an estimate of nothing."""

    @property
    def input_tokens(self) -> int:
        """Prompt tokens, cache included."""

    @property
    def output_tokens(self) -> int:
        """Generated tokens, reasoning included."""

    @property
    def total_tokens(self) -> int:
        """What limits of tokens count."""

    @property
    def cost_micros_usd(self) -> int:
        """The cost in millionths of a US dollar."""

    @property
    def cache_read_tokens(self) -> int:
        """The part of the input that comes from a cache."""

    @property
    def cache_write_tokens(self) -> int:
        """The part of the input that goes to a cache."""

    @property
    def cache_write_1h_tokens(self) -> int:
        """The part of what goes to a cache that is kept there for an hour."""

    @property
    def reasoning_tokens(self) -> int:
        """The part of the output that is reasoning."""

    @property
    def audio_input_tokens(self) -> int:
        """The part of the input that is sound."""

    @property
    def audio_output_tokens(self) -> int:
        """The part of the output that is sound."""

    @property
    def units(self) -> dict[str, int]:
        """What is billed beside tokens, as whole counts by name: a copy each time."""

    @property
    def billed_as(self) -> tuple[str, ...]:
        """The names of the multipliers that apply, each once, in the order of the alphabet."""

    def __add__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __radd__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

Estimate: TypeAlias = UsageEstimate | Usage | Amount

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

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
