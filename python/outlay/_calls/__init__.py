"""The calls to providers: the budgets that pay for them, and the ways in which they end."""
