"""`attach`: it makes Python functions methods of native classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlay._core import attached_doc


def attach(owner: type, name: str, method: Any, kind: Callable[[Any], object] | None = None) -> None:
    """Make a function a method of a native class, with the docstring that its stub has.

    Args:
        owner: The class.
        name: What the method is called.
        method: The function.
        kind: `property` or `classmethod`; default None, a method.

    """
    qualified = f"{owner.__name__}.{name}"
    method.__name__, method.__qualname__, method.__module__ = name, qualified, "outlay"
    method.__doc__ = attached_doc(qualified)
    setattr(owner, name, method if kind is None else kind(method))
