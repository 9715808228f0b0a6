"""The registry of the layers in this process, held weakly, for `outlay.doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from outlay._process import ProcessLock

if TYPE_CHECKING:
    from outlay._wraps.layer import Layer

_lock = ProcessLock()
_layers: WeakKeyDictionary[Layer, str] = WeakKeyDictionary()


def remember(layer: Layer, made_by: str) -> None:
    """Remember a layer for as long as it is in use.

    Args:
        layer: The layer.
        made_by: The name of the integration that made it.

    """
    with _lock:
        _layers[layer] = made_by


def active() -> list[tuple[str, Layer]]:
    """Return the layers that are alive, each with the integration that made it, by its name."""
    with _lock:
        layers = list(_layers.items())
    return sorted(((host, layer) for layer, host in layers), key=lambda one: one[0])
