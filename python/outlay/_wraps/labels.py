"""`checked_labels`: it checks the labels of a wrap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay._errors import PolicyError


def checked_labels(labels: Mapping[str, Any]) -> dict[str, str]:
    """Return a copy of the labels.

    Raises:
        PolicyError: A label is not text, or is a keyword of other wraps.

    """
    for name, value in labels.items():
        if not isinstance(value, str):
            raise PolicyError(f"label {name}: a str is allowed, not {type(value).__name__}")
    if "unguarded" in labels:
        raise PolicyError("unguarded: everything here that costs money is guarded; leave the keyword out")
    return dict(labels)
