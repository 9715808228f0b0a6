"""`checked_labels`: it checks the labels of a wrap."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from outlay._errors import PolicyError
from outlay._guard.scopes import checked_label, given_labels


def checked_labels(labels: Mapping[str, str] | None, named: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that a wrap is given, as `Guard.reserve` joins and checks them.

    Args:
        labels: Those of its keyword `labels`.
        named: Its other keywords.

    Raises:
        PolicyError: `labels` is no mapping, a label is given twice, with two values, a value is not text, or
            a name is a keyword of other wraps.
        InvalidId: A name is not text, or a name or a value is not of 1 to 1,024 bytes.

    """
    if "unguarded" in named:
        raise PolicyError("unguarded: everything here that costs money is guarded; leave the keyword out")
    given = given_labels(labels, named)
    for name, value in given.items():
        if not isinstance(value, str | uuid.UUID):
            raise PolicyError(f"label {name}: a str or a uuid.UUID is allowed, not {type(value).__name__}")
    return {name: checked_label(name, value) for name, value in given.items()}
