"""`from_genai_prices`: it reads the price of a model from the data of the package genai-prices."""

from __future__ import annotations

import copy
import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

try:
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint
except ImportError as missing:
    raise ImportError("outlay.prices needs genai-prices: pip install outlay[prices]") from missing

from outlay._prices.kinds import fees, rates, starts, unread
from outlay._prices.variants import multipliers

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice


def from_genai_prices(model: str, provider: str | None = None) -> dict[str, Any]:
    """Return the price of a model, in the form that `prices=` takes.

    The data is that of the installed genai-prices; nothing is fetched. A model is looked up once, so a price
    that starts on a later day is seen by a new process. Where a price depends on the time of day, the dearest
    counts. A model without a price for output (embeddings) is given that of its input. A usage does not count
    pictures and video apart, so the dearest of them and text counts. Sound has its own price; of Gemini's
    models without one, it costs what text costs. Prices are rounded up to a millionth of a dollar per million
    tokens.

    Args:
        model: The name that the provider is asked for, such as "gpt-4o".
        provider: Whose API it is, such as "openai" or "azure"; default None, found by the model's name.

    Returns:
        The price by kind: input, output and, where they cost apart, cache_read, cache_write,
        cache_write_1h, reasoning, audio_input, audio_output, audio_cache_read. It has "request" where a
        request has a fee, "units" by name, and "multipliers" by service tier, speed and the like. It has
        "tiers" where a long input costs more, lowest first, each for the whole call.

    Raises:
        LookupError: The model or the provider is unknown, or it is not priced by tokens.

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
    now = datetime.now(tz=UTC)  # which prices hold today, not when a call is charged
    prices = _active(found, now)
    if not any(price.input_mtok is not None for price in prices):
        raise LookupError(f"the model {model!r:.200}{whose} is not priced by tokens")
    if unknown := unread(prices):
        raise LookupError(f"the model {model!r:.200}{whose} has prices of an unknown kind: {unknown}")
    hears = "gemini" in found.id
    row: dict[str, Any] = {**rates(prices, -1, hears=hears), **fees(prices)}
    if times := multipliers(found, prices, now):
        row["multipliers"] = times
    tiers = [{"above_input_tokens": start, **rates(prices, start, hears=hears)} for start in starts(prices)]
    return {**row, "tiers": tiers} if tiers else row


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
