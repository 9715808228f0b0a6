"""What is logged of a usage that is not understood: once for each shape and model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from outlay._usage.noticed import Noticed
from outlay._usage.shapes import reader

_log = logging.getLogger("outlay")
# Where providers put it.
_NAMES = ("usage", "usageMetadata", "usage_metadata")
_NAMES_SHOWN = 12
_NOT_UNDERSTOOD = "a usage is not understood, so the estimate of its call is booked: model %s, names %s"
# The provider bills the call: an unreadable count must lose neither the response nor the charge.
_UNREADABLE = "the usage of a response cannot be booked, so its estimate is booked: model %s, %s"
_noticed = Noticed()


def report_unread(
    response: Any, model_name: Callable[[Any], str | None], error: Exception | None = None
) -> None:
    """Log that a response has a usage which no shape fits, or whose counts make no sense.

    Args:
        response: The response; one without a usage is not logged.
        model_name: Reads the name of its model.
        error: What reading it raised; default None, no shape fitted.

    """
    try:
        names = _names_in(response)
        if error is None and not names:
            return
        model = model_name(response) or "(unnamed)"
        what = type(error).__name__ if error is None else str(error).partition(":")[0]
    except Exception:
        # A function may return any object, and its attributes may do anything.
        names, model, what = (), "(unnamed)", type(response).__name__
    if not _noticed.first((names, model, what)):
        return
    if error is None:
        _log.warning(_NOT_UNDERSTOOD, model, ", ".join(names))
    else:
        _log.warning(_UNREADABLE, model, error)


def _names_in(response: Any) -> tuple[str, ...]:
    """Return the names in the usage of a response; none where it has no usage."""
    read = reader(response)
    for place in _NAMES:
        usage = read(place)
        if usage is None or callable(usage) or isinstance(usage, str | bytes | int | float):
            continue
        content: Any = usage if isinstance(usage, Mapping) else getattr(usage, "__dict__", {})
        names = sorted(str(name) for name, value in content.items() if value is not None)
        if names:
            return tuple(names[:_NAMES_SHOWN])
    return ()
