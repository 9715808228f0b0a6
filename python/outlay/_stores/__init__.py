"""Stores: the methods of `Store` that are awaited."""
