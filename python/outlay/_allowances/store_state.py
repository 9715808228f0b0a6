"""The state that services on one store share: its lock, and days that the protocol does not carry."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from threading import RLock
from typing import Any


class StoreState:
    """The lock of one store, and what was seen of it on which day."""

    def __init__(self) -> None:
        # Re-entrant, so that a store may ask a service of its own.
        self.lock = RLock()
        #: The last day, by its start, on which an agent's record was read.
        self.seen: dict[str, int] = {}
        #: The last day on which a model's tokens were read, and what of them is of the days before.
        self.models: dict[str, tuple[int, int]] = {}
        #: By what they count for (an agent or a model): writes that failed, with the last day on which each
        #: may be made; None for any.
        self.owed: dict[tuple[str, str], list[tuple[int | None, Callable[[], object]]]] = {}
        self.store: Any = None
        #: By the clock, None for the machine's: what the services on this store and that clock share.
        self.backends: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()

    def settle(self, kind: str, name: str, today: int) -> None:
        """Make the writes that failed before. One that fails again is raised, and still owed."""
        while owed := self.owed.get((kind, name)):
            day, write = owed.pop(0)  # taken first, for the store may ask a service of its own
            if day is not None and day < today:
                continue
            try:
                write()
            except BaseException:
                owed.insert(0, (day, write))
                self.owed[kind, name] = owed
                raise
        self.owed.pop((kind, name), None)


#: Re-entrant, for a garbage collection may forget a store while one is looked up.
_registry = RLock()
#: By the id of a store that lives: it may have no hash and its own idea of equality.
_lasting: dict[int, tuple[weakref.ref[Any], StoreState]] = {}
#: Of stores without weak references. Their states keep them alive, and services keep the states.
_passing: weakref.WeakValueDictionary[int, StoreState] = weakref.WeakValueDictionary()


def state_of(store: object) -> StoreState:
    """Return what all services on that store share."""
    key = id(store)
    with _registry:
        try:
            reference = weakref.ref(store, lambda gone: _forget(key, gone))
        except TypeError:
            state = _passing.get(key)
            if state is None:
                state = _passing[key] = StoreState()
                state.store = store
            return state
        known = _lasting.get(key)
        if known is None or known[0]() is not store:
            known = _lasting[key] = (reference, StoreState())
        return known[1]


def _forget(key: int, gone: weakref.ref[Any]) -> None:
    with _registry:
        known = _lasting.get(key)
        if known is not None and known[0] is gone:
            del _lasting[key]


def _after_fork() -> None:
    # Another thread of the parent may have held a lock, and will never let go of it here.
    global _registry
    _registry = RLock()
    _lasting.clear()
    _passing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
