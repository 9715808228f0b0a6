"""`Fields`: the keyword arguments of a `Usage`, as they are read from answers, with their sums."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

# Counts by their names in `Usage`; "units" is a dict of counts, and "billed_as" a tuple of names.
Fields = dict[str, Any]


def added(one: Fields, other: Fields) -> Fields:
    """Return the sum of two usages: counts and units add, and all ways of billing are kept."""
    return _joined(one, other, operator.add)


def larger(one: Fields, other: Fields) -> Fields:
    """Return the larger of each count of two usages; all ways of billing are kept."""
    return _joined(one, other, max)


def _joined(one: Fields, other: Fields, join: Callable[[int, int], int]) -> Fields:
    whole: Fields = dict(one)
    for name, value in other.items():
        if name == "billed_as":
            whole[name] = tuple(sorted({*one.get(name, ()), *value}))
        elif name == "units":
            whole[name] = _joined(one.get(name, {}), value, join)
        else:
            whole[name] = join(one.get(name, 0), value)
    return whole
