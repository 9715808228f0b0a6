"""Prices of the package genai-prices, for models that no policy and no wrap prices."""
