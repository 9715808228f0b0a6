"""The allowances of agents, models and repositories, and the stores that keep them."""
