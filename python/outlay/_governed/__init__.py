"""`outlay.governed`: any function under a budget."""
