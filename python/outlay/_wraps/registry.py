"""What was wrapped in this process: a weak list, for `outlay.doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from outlay._process import ProcessLock

if TYPE_CHECKING:
    from outlay._wraps.layer import Layer

_lock = ProcessLock()
_layers: WeakKeyDictionary[Layer, str] = WeakKeyDictionary()


def remember(layer: Layer, made_by: str) -> None:
    """Note a layer for as long as somebody keeps it.

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
