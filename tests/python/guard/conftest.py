"""Lets the tests of guards import their own helpers."""
