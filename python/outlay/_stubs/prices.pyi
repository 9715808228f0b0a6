"""The prices of models, and `usd` for exact amounts of money."""

from decimal import Decimal
from typing import Self, SupportsIndex, final

from outlay._stubs.amounts import Usage, UsageEstimate
from outlay._stubs.arguments import Prices

def usd(dollars: str | Decimal | SupportsIndex) -> int:
    """Return dollars as whole millionths of a US dollar, exactly.

    Args:
        dollars: Plain decimal text, a Decimal or a whole number of dollars; not negative, at most 6 decimals.

    Returns:
        Micro-USD.

    Raises:
        InvalidAmount: It is a float (0.1 has no exact binary form), negative, not finite, too fine or too
            large.

    Example:
        >>> usd("12.34")
        12340000
    """

def model_names(model: str) -> list[str]:
    """Return the names under which the price and the rules of a model are found, the closest first.

    The first is the text itself. The others lack its date or version (`-2024-08-06`, `-20240806`, `@...`,
    `-v1:0`, `-latest`, `-preview-05-20`), its provider (`openai/`, `openai:`) or its region (`us.`).

    Args:
        model: The name that the provider is asked for.
    """

@final
class PriceTable:
    """What models cost: read once, then asked by every call.

    "input" and "output" are required; "cache_read" and "cache_write" cost what input costs unless they are
    given, "reasoning" (a part of the output) what output costs. "cache_write_1h" is the part of the cache
    writes that is kept for an hour. Its default is twice the input for Anthropic's models (the provider is
    "anthropic", or the name has "claude" or "anthropic" in it), else "cache_write". "audio_input" and
    "audio_output" are for sound; without them it costs the highest price of a token here.
    "audio_cache_read" defaults to the higher of "cache_read" and "audio_input".

    "request" is USD for each request, and "units" are USD for each unit by name. "multipliers" multiply the
    prices of tokens by how a call is billed: each is text, or a mapping by kind. "tiers" are the prices of
    long prompts: a list of mappings with "above_input_tokens" and prices. The whole call costs the prices of
    the highest tier that its input is above; what a tier does not name costs what it costs below. Prices are
    text, so that they are exact.

    A dated or prefixed name of a model has the price of the model, unless it has one of its own.

    Args:
        prices: USD per million tokens by model, such as `{"gpt-x": {"input": "2.50", "output": "10.00"}}`.

    Raises:
        PolicyError: It has another shape, a required price is missing, or a price is not plain decimal text.

    Example:
        >>> table = PriceTable({"gpt-x": {"input": "2.50", "output": "10.00", "cache_read": "0.25"}})
        >>> table.cost("gpt-x", Usage(input_tokens=1_000, output_tokens=100, cache_read_tokens=800))
        1700
        >>> long = {"above_input_tokens": 200_000, "input": "5", "output": "20"}
        >>> table = PriceTable({"gpt-y": {"input": "2.50", "output": "10", "tiers": [long]}})
        >>> table.cost("gpt-y", Usage(input_tokens=200_001, output_tokens=0))
        1000005
        >>> fees = {"units": {"web_search": "0.01"}, "multipliers": {"batch": "0.5"}}
        >>> table = PriceTable({"gpt-z": {"input": "2", "output": "8", **fees}})
        >>> table.cost("gpt-z", Usage(input_tokens=1_000, units={"web_search": 2}, billed_as=("batch",)))
        21000
    """

    def __new__(cls, prices: Prices) -> Self: ...
    def knows(self, model: str) -> bool:
        """Return whether the model has a price.

        Args:
            model: The name of the model.
        """

    def cost(self, model: str, usage: Usage | UsageEstimate, *, provider: str | None = None) -> int:
        """Return what a usage costs in micro-USD, rounded up once.

        Tokens of which only the total is known are priced at the dearer of input and output. A unit or a way
        of billing that neither the price nor the maker's own list knows adds nothing. The logger `outlay`
        warns of it, once for each model and name.

        Args:
            model: The name of the model.
            usage: What was used, or may be.
            provider: Whose API it was, such as "anthropic"; default None, what the name says.

        Raises:
            PolicyError: The model has no price: it never costs 0.
            InvalidAmount: It is no usage.
        """
