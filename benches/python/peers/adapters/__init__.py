"""One file for each peer: its own documented calls, and how a crowd of agents asks it."""
