"""Parts of a guard for sub-agents: which guard each of them is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, SupportsIndex
from weakref import WeakKeyDictionary, ref

from outlay._core import Allotment

if TYPE_CHECKING:
    from datetime import timedelta

    from outlay._core import Guard

# Of each part the guard that it is a part of, however many parts lie between.
_guards: WeakKeyDictionary[Allotment, ref[Guard]] = WeakKeyDictionary()


def noting(native: Callable[..., Allotment]) -> Callable[..., Allotment]:
    """Return `allot` as it is, with a note of the guard that the part is of."""

    def allot(
        self: Guard | Allotment,
        *,
        tokens: SupportsIndex | None = None,
        cost_micros_usd: SupportsIndex | None = None,
        calls: SupportsIndex | None = None,
        ttl: float | timedelta | None = None,
        **labels: str,
    ) -> Allotment:
        of = {"tokens": tokens, "cost_micros_usd": cost_micros_usd, "calls": calls}
        part = native(self, **of, ttl=ttl, **labels)
        _guards[part] = guard_of(self)
        return part

    return allot


def guard_of(one: Guard | Allotment) -> ref[Guard]:
    """Return a reference to a guard, or to the guard of a part; equal for those of one guard."""
    return _guards[one] if isinstance(one, Allotment) else ref(one)
