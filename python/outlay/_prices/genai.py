"""`from_genai_prices`: it reads the price of a model from the data of the package genai-prices."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

try:
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint, TieredPrices
except ImportError as missing:
    raise ImportError("outlay.prices needs genai-prices: pip install outlay[prices]") from missing

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

# The names that genai-prices has for our kinds. A usage does not split others (sound, pictures, searches).
_KINDS = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write": ("cache_write_mtok", "cache_write_1h_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "reasoning": ("output_reasoning_mtok",),
}
_FEES = ("requests_kcount", "input_text_messages_kcount")
_MICRO = Decimal("0.000001")


def from_genai_prices(model: str, provider: str | None = None) -> dict[str, Any]:
    """Return the price of a model, in the form that `prices=` takes.

    The data is that of the installed genai-prices; nothing is fetched. A model is looked up once, so a price
    that starts on a later day is seen by a new process. Where a price depends on the time of day, the dearest
    counts. A model without a price for output (embeddings) is given that of its input. Prices are rounded up
    to a millionth of a dollar per million tokens.

    Args:
        model: The name that the provider is asked for, such as "gpt-4o".
        provider: Whose API it is, such as "openai" or "azure"; default None, found by the model's name.

    Returns:
        The price by kind: input, output and, where they cost apart, cache_read, cache_write,
        cache_write_1h, reasoning; "tiers" where a long input costs more, lowest first, each for the whole
        call.

    Raises:
        LookupError: The model or the provider is unknown, or it is not priced by tokens alone.

    Example:
        >>> from outlay import SharedPool
        >>> row = from_genai_prices("gpt-4o", "openai")
        >>> row["input"], row["output"], row["cache_read"]
        ('2.5', '10', '1.25')
        >>> from_genai_prices("no-such-model", "openai")
        Traceback (most recent call last):
            ...
        LookupError: no price for the model 'no-such-model' of 'openai' in genai-prices

    """
    # A copy, because the caller may change it.
    return copy.deepcopy(_row(model, provider))


@functools.lru_cache(maxsize=4_096)
def _row(model: str, provider: str | None) -> dict[str, Any]:
    whose = "" if provider is None else f" of {provider!r:.100}"
    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        raise LookupError(f"no price for the model {model!r:.200}{whose} in genai-prices") from None
    prices = _active(found, datetime.now(tz=UTC))  # which prices hold today, not when a call is charged
    if any(getattr(price, fee) for price in prices for fee in _FEES):
        raise LookupError(f"the model {model!r:.200}{whose} costs a fee per call on top of its tokens")
    if not any(price.input_mtok is not None for price in prices):
        raise LookupError(f"the model {model!r:.200}{whose} is not priced by tokens")
    row: dict[str, Any] = _flat(prices, -1)
    starts = sorted({tier.start for price in _each(prices) if price is not None for tier in _tiers(price)})
    if starts:
        row["tiers"] = [{"above_input_tokens": start, **_flat(prices, start)} for start in starts]
    return row


def _active(model: ModelInfo, now: datetime) -> list[ModelPrice]:
    """Return the prices that hold at some hour of today."""
    if not isinstance(model.prices, list):
        return [model.prices]
    hourly: list[ModelPrice] = []
    # The last that holds counts; those that hold for some hours of a day stand before it.
    for each in reversed(model.prices):
        if each.constraint is None or isinstance(each.constraint, StartDateConstraint):
            if each.constraint is None or each.constraint.active(now):
                return [*hourly, each.prices]
        else:
            hourly.append(each.prices)
    return [*hourly, model.prices[0].prices]


def _each(prices: Iterable[ModelPrice]) -> list[Decimal | TieredPrices | None]:
    return [getattr(price, name) for price in prices for names in _KINDS.values() for name in names]


def _tiers(price: Decimal | TieredPrices) -> list[Any]:
    return price.tiers if isinstance(price, TieredPrices) else []


def _flat(prices: list[ModelPrice], above: int) -> dict[str, Any]:
    """Return the prices of a call whose input is just above a number of tokens."""
    row: dict[str, Any] = {}
    for kind, names in _KINDS.items():
        costs = [cost for price in prices if (cost := _first(price, names, above)) is not None]
        if costs:
            row[kind] = _text(max(costs))
    row.setdefault("output", row["input"])
    return row


def _first(price: ModelPrice, names: Iterable[str], above: int) -> Decimal | None:
    for name in names:
        cost = getattr(price, name)
        if isinstance(cost, TieredPrices):
            # The tiers stand lowest first.
            return ([cost.base] + [tier.price for tier in cost.tiers if tier.start <= above])[-1]
        if cost is not None:
            return cost  # type: ignore[no-any-return]
    return None


def _text(dollars: Decimal) -> str:
    text = format(dollars.quantize(_MICRO, rounding=ROUND_CEILING), "f").rstrip("0").rstrip(".")
    return text or "0"
