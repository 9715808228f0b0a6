"""`resolve_price`: it asks genai-prices, if that is installed, for models that no policy prices."""

from __future__ import annotations

from typing import Any


def resolve_price(model: str, provider: str | None) -> Any:
    """Return the price of a model from the optional package genai-prices, or None."""
    try:
        from outlay._prices.genai import from_genai_prices
    except ImportError:
        return None
    try:
        return from_genai_prices(model, provider)
    except (ImportError, LookupError):
        return None
