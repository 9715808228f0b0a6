"""The prices of one model of genai-prices by our kinds of tokens, and its fees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from genai_prices.types import TieredPrices

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

# The names that genai-prices has for what we count. Where one count stands for several, the dearest holds.
_KINDS = {
    "input": ("input_mtok", "input_text_mtok", "input_image_mtok", "input_video_mtok"),
    "output": (
        "output_mtok",
        "output_text_mtok",
        "output_image_mtok",
        "output_video_mtok",
        "output_citation_mtok",
    ),
    "cache_read": (
        "cache_read_mtok",
        "cache_text_read_mtok",
        "cache_image_read_mtok",
        "cache_video_read_mtok",
    ),
    "cache_write": ("cache_write_mtok", "cache_write_5m_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "reasoning": ("output_reasoning_mtok",),
    "audio_input": ("input_audio_mtok",),
    "audio_output": ("output_audio_mtok",),
    "audio_cache_read": ("cache_audio_read_mtok",),
}
# Its fees: the name of our unit, and for how many the price is.
_UNITS = {
    "web_searches_kcount": ("web_search", 1_000),
    "storage_searches_kcount": ("file_search", 1_000),
    "social_searches_kcount": ("social_search", 1_000),
    "code_executions_kcount": ("code_execution", 1_000),
    "rerank_searches_kcount": ("rerank_search", 1_000),
    "input_text_messages_kcount": ("text_message", 1_000),
    "input_document_kpages": ("page", 1_000),
    "input_annotated_document_kpages": ("annotated_page", 1_000),
    "input_mchars": ("character", 1_000_000),
    "input_gpixels": ("pixel", 1_000_000_000),
    "audio_hours": ("audio_second", 3_600),
    "input_audio_hours": ("audio_second", 3_600),
    "output_audio_hours": ("audio_second", 3_600),
}
_REQUESTS = ("requests_kcount", 1_000)
_KNOWN = {name for names in _KINDS.values() for name in names} | {*_UNITS, _REQUESTS[0]}
_RATE_DECIMALS, _FEE_DECIMALS = 6, 12


def rates(prices: Iterable[ModelPrice], above: int, *, hears: bool = False) -> dict[str, str]:
    """Return the prices by kind of a call whose input is just above a number of tokens.

    Args:
        prices: The prices of the model; the dearest counts.
        above: The number of tokens, -1 for any input.
        hears: Whether sound costs what text costs, unless it has a price.

    """
    found = {kind: _dearest(prices, names, above) for kind, names in _KINDS.items()}
    row = {kind: cost for kind, cost in found.items() if cost is not None}
    row.setdefault("output", row["input"])
    if "cache_write_1h" in row:
        row.setdefault("cache_write", row["cache_write_1h"])
    # Reasoning is text, whatever the dearest output is.
    text = _dearest(prices, ("output_mtok",), above)
    if text is not None and text != row["output"]:
        row.setdefault("reasoning", text)
    if hears:
        row.setdefault("audio_input", row["input"])
    return {kind: as_text(cost, _RATE_DECIMALS) for kind, cost in row.items()}


def fees(prices: Iterable[ModelPrice]) -> dict[str, Any]:
    """Return the fee of a request and those of units, where there are any."""
    units: dict[str, Decimal] = {}
    for name, (unit, count) in _UNITS.items():
        cost = _highest(prices, name)
        if cost is not None:
            units[unit] = max(cost / count, units.get(unit, Decimal(0)))
    row: dict[str, Any] = {}
    if (cost := _highest(prices, _REQUESTS[0])) is not None:
        row["request"] = as_text(cost / _REQUESTS[1], _FEE_DECIMALS)
    if units:
        row["units"] = {unit: as_text(cost, _FEE_DECIMALS) for unit, cost in units.items()}
    return row


def starts(prices: Iterable[ModelPrice]) -> list[int]:
    """Return the lengths of input above which a price of tokens changes, lowest first."""
    costs = [getattr(price, name) for price in prices for names in _KINDS.values() for name in names]
    return sorted({tier.start for cost in costs if isinstance(cost, TieredPrices) for tier in cost.tiers})


def unread(prices: Iterable[ModelPrice]) -> str:
    """Return the names of prices that no kind and no unit of ours stands for."""
    names = {name for price in prices for name, cost in vars(price).items() if cost is not None}
    return ", ".join(sorted(name for name in names - _KNOWN if not name.startswith("_")))


def as_text(number: Decimal, decimals: int) -> str:
    """Return a number as plain text, rounded up."""
    text = format(number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_CEILING), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dearest(prices: Iterable[ModelPrice], names: Sequence[str], above: int) -> Decimal | None:
    costs = [getattr(price, name) for price in prices for name in names]
    return max((_at(cost, above) for cost in costs if cost is not None), default=None)


def _highest(prices: Iterable[ModelPrice], name: str) -> Decimal | None:
    costs = [cost for price in prices if (cost := getattr(price, name)) is not None]
    ends = [
        [cost.base, *(tier.price for tier in cost.tiers)] if isinstance(cost, TieredPrices) else [cost]
        for cost in costs
    ]
    return max((one for many in ends for one in many), default=None)


def _at(cost: Decimal | TieredPrices, above: int) -> Decimal:
    if isinstance(cost, TieredPrices):
        # The tiers stand lowest first.
        return ([cost.base] + [tier.price for tier in cost.tiers if tier.start <= above])[-1]
    return cost
