"""Prices of models that no policy and no wrap names: those of the package genai-prices."""
