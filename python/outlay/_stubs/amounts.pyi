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

        It reads responses, stream events and usages of OpenAI (chat, responses, realtime, embeddings),
        Anthropic, Gemini, Bedrock, Cohere, Voyage and Ollama. Of servers that speak one of their APIs it
        knows the names of their own: Groq, Kimi, DeepSeek, Perplexity, xAI, OpenRouter, Mistral, vLLM. It
        also reads lines of batches, and messages and results of LangChain and pydantic-ai. All of these may
        be dicts. A part of a token is rounded up. No vendor's package is imported.

        Args:
            obj: The response, its usage, or either as a dict.
            model: The name under which the price is looked up; default: the name in the response.
            prices: USD per million tokens by model, as text; default None leaves the cost at 0.

        Returns:
            The usage, with its cost in micro-USD (rounded up once) where prices are given. A response that
            has a cost of its own keeps the larger of the two.

        Raises:
            InvalidAmount: It carries no usage, or a count in it is negative or no number.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them.

        Example:
            >>> Usage.from_dict(Usage(input_tokens=5).to_dict()) == Usage(input_tokens=5)
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in plain types of JSON, as `from_dict` takes them.

        Example:
            >>> UsageEstimate.from_dict(UsageEstimate(input_tokens=5).to_dict()).input_tokens
            5
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

    def __add__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __radd__(self, other: UsageEstimate, /) -> UsageEstimate: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __hash__(self) -> int: ...

Estimate: TypeAlias = UsageEstimate | Usage | Amount
