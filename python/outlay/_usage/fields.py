"""`Fields`: the keyword arguments of a `Usage`, as they are read from answers, with their sums."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

# Counts by their names in `Usage`; "units" is a dict of counts, and "billed_as" a tuple of names.
Fields = dict[str, Any]
_TOTAL = "total_tokens"


def added(one: Fields, other: Fields) -> Fields:
    """Return the sum of two usages: counts and units add, and all ways of billing are kept."""
    return _joined(one, other, operator.add)


def summed(many: Iterable[Fields]) -> Fields:
    """Return the sum of usages."""
    total: Fields = {}
    for fields in many:
        # A sum of totals is only right where every part has one.
        total = added(total, {_TOTAL: fields["input_tokens"] + fields["output_tokens"], **fields})
    return total


def larger(seen: Fields | None, new: Fields | None) -> Fields | None:
    """Return the larger of each count of two usages of one stream; all ways of billing are kept.

    Args:
        seen: What earlier pieces have shown; None, nothing.
        new: What the new piece shows; None, nothing.

    """
    if seen is None or new is None:
        return new or seen
    joined = _joined(seen, new, max)
    # The total of an earlier piece does not stand above the parts of a later one.
    if joined.get(_TOTAL, 0) <= joined.get("input_tokens", 0) + joined.get("output_tokens", 0):
        joined.pop(_TOTAL, None)
    return joined


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
