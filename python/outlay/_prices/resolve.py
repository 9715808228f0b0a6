"""`resolve_price`: it asks genai-prices, if that is installed, for models that no policy prices."""

from __future__ import annotations

from typing import Any

from outlay._core import model_names


def resolve_price(model: str, provider: str | None) -> Any:
    """Return the price of a model from the optional package genai-prices, or None.

    It asks for the closest name of the model that genai-prices knows.
    """
    try:
        from outlay._prices.genai import from_genai_prices
    except ImportError:
        return None
    for name in model_names(model):
        try:
            return from_genai_prices(name, provider)
        except ImportError:
            return None
        except LookupError:
            continue
    return None
