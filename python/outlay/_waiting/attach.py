"""How a method that is written in Python becomes one of a native class."""

from __future__ import annotations

from collections.abc import Callable


def attach(owner: type, name: str, method: Callable[..., object]) -> None:
    """Make `method` a method of a native class, whose stub declares it."""
    method.__name__, method.__qualname__, method.__module__ = name, f"{owner.__name__}.{name}", "outlay"
    setattr(owner, name, method)
