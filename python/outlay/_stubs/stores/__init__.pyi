"""Stores: limits that processes share and that survive them."""
