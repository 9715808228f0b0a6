"""Pickles of what has a store: the arguments that made it. Its counts are in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def made_again(made: Any, method: str | None, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """Make an object as it was made, on the same store.

    Args:
        made: The class.
        method: The method that made it; None for the class itself.
        arguments: What it was given.
        keywords: What it was given by name.

    """
    make = made if method is None else getattr(made, method)
    return make(*arguments, **keywords)
