"""The guards of allotments: each allotment is recorded with the guard that it is a part of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, SupportsIndex
from weakref import WeakKeyDictionary, ref

from outlay._core import Allotment, BoundGuard

if TYPE_CHECKING:
    from datetime import timedelta

    from outlay._core import Guard

# Each allotment with its guard, however many allotments lie between.
_guards: WeakKeyDictionary[Allotment, ref[Guard]] = WeakKeyDictionary()


def noting(native: Callable[..., Allotment]) -> Callable[..., Allotment]:
    """Return `allot`, which also records the guard of the new allotment."""

    def allot(
        self: Guard | BoundGuard | Allotment,
        *,
        tokens: SupportsIndex | None = None,
        cost_micros_usd: SupportsIndex | None = None,
        calls: SupportsIndex | None = None,
        ttl: float | timedelta | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> Allotment:
        of = {"tokens": tokens, "cost_micros_usd": cost_micros_usd, "calls": calls}
        part = native(self, **of, ttl=ttl, labels=labels, **named)
        _guards[part] = guard_of(self)
        return part

    return allot


def guard_of(one: Guard | BoundGuard | Allotment) -> ref[Guard]:
    """Return a reference to a guard, or to that of a view or an allotment; equal for those of one guard."""
    if isinstance(one, Allotment):
        return _guards[one]
    return ref(one.guard if isinstance(one, BoundGuard) else one)
