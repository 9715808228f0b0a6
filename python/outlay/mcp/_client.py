"""The guarded class of an MCP client: the same class, with a step charged before each tool call."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from outlay import LimitExceeded
from outlay._wraps import ProcessLock
from outlay.mcp._steps import StepLayer, refused

ClientT = TypeVar("ClientT")

_LAYERS = "_outlay_layers"
_guarded: WeakKeyDictionary[type, type] = WeakKeyDictionary()
_making = ProcessLock()


def guard_client(client: ClientT, layer: StepLayer, method: str) -> ClientT:
    """Make a client charge the layer, in place: a live session cannot be copied.

    Args:
        client: The client or the session.
        layer: What the wrap was given.
        method: The method through which all its tool calls go; it returns the protocol's own result.

    Returns:
        The same client.

    """
    layers: tuple[StepLayer, ...] = getattr(client, _LAYERS, ())
    left = layer.without(layers)
    if left is None:
        return client
    if not layers:
        # A change of class and not an attribute: FastMCP's Client.new() copies attributes, and a copied
        # bound method would call the tools through the session of the original.
        object.__setattr__(client, "__class__", _guarded_class(type(client), method))
    object.__setattr__(client, _LAYERS, (left, *layers))
    return client


def _guarded_class(cls: type, method: str) -> type:
    with _making:
        known = _guarded.get(cls)
        if known is None:
            original = getattr(cls, method)
            namespace = {"__module__": cls.__module__, "__doc__": cls.__doc__, method: _guard(original)}
            known = _guarded[cls] = type(cls.__name__, (cls,), namespace)
            known.__qualname__ = cls.__qualname__
        return known


def _guard(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def call(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        return await _charged(getattr(self, _LAYERS), name, lambda: original(self, name, *args, **kwargs))

    return call


async def _charged(layers: tuple[StepLayer, ...], name: str, call: Callable[[], Awaitable[Any]]) -> Any:
    if not layers:
        return await call()
    try:
        with layers[0].charge(name):
            return await _charged(layers[1:], name, call)
    except LimitExceeded as refusal:
        return refused(refusal)
