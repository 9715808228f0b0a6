"""The multipliers of one model of genai-prices: by service tier, speed, batch and the like."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from outlay._prices.kinds import as_text, rates, starts

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

_DECIMALS = 9
# What a kind costs that is not named: what another costs. Sound without a price costs the dearest of all.
_STANDS_FOR = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
}
_SOUND = ("audio_input", "audio_output", "audio_cache_read")
_STANDARD = frozenset({"default", "standard", "auto"})
Multiplier = str | dict[str, str]


def multipliers(model: ModelInfo, prices: Sequence[ModelPrice], now: datetime) -> dict[str, Multiplier]:
    """Return what each way of billing multiplies the prices by.

    Args:
        model: The model.
        prices: Its prices without any of them.
        now: When they hold.

    Returns:
        By the name of the way: one multiplier, or one for each kind of token that is not 1.

    """
    named: dict[str, list[PriceVariant]] = {}
    for variant in model.price_variants or ():
        if variant.constraint is None or variant.constraint.active(now):
            name = ".".join(value.lower().replace("/", ":") for _, value in sorted(variant.when.items()))
            named.setdefault(name, []).append(variant)
    found = {name: _times(prices, variants) for name, variants in named.items() if name not in _STANDARD}
    return {name: _shown(times) for name, times in found.items()}


def _times(prices: Sequence[ModelPrice], variants: Sequence[PriceVariant]) -> dict[str, Decimal]:
    """Return the multiplier of each kind: the highest at any length of the input."""
    changed = [_changed(price, variants) for price in prices]
    times: dict[str, Decimal] = {}
    for above in [-1, *starts([*prices, *changed])]:
        one, other = _whole(rates(prices, above)), _whole(rates(changed, above))
        for kind, cost in one.items():
            # What costs nothing cannot be multiplied; genai-prices has no such price.
            time = other[kind] / cost if cost else Decimal(1)
            times[kind] = max(time, times.get(kind, Decimal(0)))
    return times


def _changed(price: ModelPrice, variants: Sequence[PriceVariant]) -> ModelPrice:
    """Return a price as genai-prices does: of several variants, the first that names a kind."""
    changed = copy(price)
    for variant in reversed(variants):
        for name, cost in vars(variant.prices).items():
            if cost is not None:
                setattr(changed, name, cost)
    return changed


def _whole(row: dict[str, str]) -> dict[str, Decimal]:
    """Return the prices of all kinds, with the defaults of those that are not named."""
    whole = {kind: Decimal(cost) for kind, cost in row.items()}
    for kind, other in _STANDS_FOR.items():
        whole.setdefault(kind, whole[other])
    dearest = max(whole.values())
    for kind in _SOUND:
        whole.setdefault(kind, dearest)
    return whole


def _shown(times: dict[str, Decimal]) -> Multiplier:
    texts = {kind: as_text(time, _DECIMALS) for kind, time in times.items()}
    if len(set(texts.values())) == 1:
        return texts["input"]
    return {kind: text for kind, text in texts.items() if text != "1"}
