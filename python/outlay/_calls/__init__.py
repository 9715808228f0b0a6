"""Calls: the requests to a provider, which budgets pay for them, and how they end."""
