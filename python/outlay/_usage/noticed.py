"""What was logged already, so that it is logged once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_KEPT_MAX = 1_024


class Noticed:
    """Remembers what was seen; of more than 1,024 things, the oldest is forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def first(self, thing: Hashable) -> bool:
        """Remember a thing, and say whether it is new."""
        if thing in self._seen:
            return False
        # Each step is atomic; two threads that meet here may both say that it is new.
        self._seen[thing] = None
        while len(self._seen) > _KEPT_MAX:
            try:
                self._seen.popitem(last=False)
            except KeyError:
                break
        return True
