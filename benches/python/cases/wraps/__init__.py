"""Each wrap over a client that does nothing: the figure is the difference to the same client, unwrapped."""
