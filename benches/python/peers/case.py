"""The cases that an adapter offers: timed calls, and agents whose calls are in flight at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

BOOK = "Book at once"
AROUND = "Around one call: before it and after it"
REFUSED = "Refused"
AWAIT = "Awaited, while there is room"
GROUPS = [BOOK, AROUND, REFUSED, AWAIT]

PLENTY = 1 << 50  # calls; every peer can count them, also as floats and at a hundred tokens each
DAY = 86_400


def nothing() -> None:
    """Reset nothing: the peer keeps no log of its calls."""


def is_none(answer: object) -> bool:
    """Say whether a call returned nothing: it was admitted if a refusal raises or returns something."""
    return answer is None


@dataclass(frozen=True)
class Made:
    """A budget or limiter with room for a number of calls."""

    loop: Callable[
        [int], Any
    ]  # makes that many calls and returns the last answer; may be a coroutine function
    reset: Callable[[], object] = nothing  # empties a log that grows with each call; not timed


@dataclass(frozen=True, eq=False)
class Case:
    """One line of a table.

    The loop that is timed is the loop that is proven: with room for three calls it must admit three and
    refuse the fourth.
    """

    group: str
    name: str  # the call as its user writes it
    does: str  # in words, so that a reader can tell whether two calls do the same work
    make: Callable[[int], Made]
    beside: str = ""  # the name of outlay's case that does the same work
    admitted: Callable[[Any], bool] = bool
    refusal: tuple[type[BaseException], ...] = ()  # what it raises to refuse
    threads: bool = False  # whether eight threads ask it as well


Call = Callable[[], Awaitable[None]]
Agent = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class Crowd:
    """Agents that share a budget of a number of calls; each asks, calls its model, and says what was used."""

    name: str
    does: str
    make: Callable[[int], Agent]
    refusal: tuple[type[BaseException], ...] = ()
