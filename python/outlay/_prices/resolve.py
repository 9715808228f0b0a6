"""What a model costs where no policy names a price: asked of genai-prices, where that is installed."""

from __future__ import annotations

from typing import Any


def resolve_price(model: str, provider: str | None) -> Any:
    """Return what a model costs by the optional package genai-prices, or None."""
    try:
        from outlay._prices.genai import from_genai_prices
    except ImportError:
        return None
    try:
        return from_genai_prices(model, provider)
    except (ImportError, LookupError):
        return None
