"""Lets the tests of every host import what they share."""
