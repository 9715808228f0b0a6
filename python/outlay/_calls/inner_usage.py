"""The usage of the calls inside another call, and the tokens that the outer call has booked beyond it."""

from __future__ import annotations

from threading import RLock

from outlay._core import Usage
from outlay._usage.responses import plus

_USAGES_MAX = 64


class InnerUsage:
    """The usage of the calls inside a call, kept small however many they are."""

    __slots__ = ("_lock", "_usages")

    def __init__(self) -> None:
        self._usages: list[Usage] = []
        # The garbage collector may end a dropped stream at any point, so in here too.
        self._lock = RLock()

    def add(self, usage: Usage) -> None:
        """Note what one call used."""
        self._usages.append(usage)
        if len(self._usages) > _USAGES_MAX:
            self.total()

    def total(self) -> Usage:
        """Return the sum."""
        usages = self._usages
        with self._lock:
            total = Usage.zero()
            while usages:
                try:
                    total = plus(total, usages.pop())
                except IndexError:
                    break
            if total != Usage.zero():
                usages.append(total)
        return total


class Spare:
    """Tokens that a call has booked above the usage inside it. Calls that end later may use them up."""

    __slots__ = ("_lock", "_tokens")

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._lock = RLock()

    def take(self, tokens: int) -> int:
        """Take up to so many tokens, and return how many there were."""
        with self._lock:
            # No function is called between reading and writing: the collector could end another stream in it.
            before = self._tokens
            taken = tokens if tokens < before else before
            self._tokens = before - taken
        return taken
