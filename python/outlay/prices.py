"""Prices of models out of genai-prices: `prices={"gpt-4o": from_genai_prices("gpt-4o")}`.

It is imported by name and never by `outlay` itself: `pip install outlay[prices]`.

Example:
    >>> from outlay import PriceTable, Usage
    >>> from outlay.prices import from_genai_prices
    >>> table = PriceTable({"gpt-4o": from_genai_prices("gpt-4o")})
    >>> table.cost("gpt-4o", Usage(input_tokens=1_000, output_tokens=100))
    3500

"""

from outlay._prices.genai import from_genai_prices

__all__ = ["from_genai_prices"]
