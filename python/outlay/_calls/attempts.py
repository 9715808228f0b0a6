"""The requests that the layers inside a call have sent, and the usage of those without an answer."""

from __future__ import annotations

from functools import reduce

from outlay._core import Usage
from outlay._usage.responses import plus


class Attempts:
    """The requests of one call, as the layers inside it report them. A transport sees more than a model.

    `append` is atomic, in any thread and in the garbage collector too, so there is no lock.
    """

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: list[tuple[int, int, Usage | None]] = []

    def note(self, requests: int, lost: int = 0, unanswered: Usage | None = None) -> None:
        """Note requests that were made, how many were never answered, and what those may have used."""
        self._noted.append((requests, lost, unanswered))

    def requests(self) -> int:
        """Return how many requests were made; 0 if no layer inside has reported any."""
        # This runs for every call, and most calls have no layer inside them.
        return sum(requests for requests, _, _ in self._noted) if self._noted else 0

    def lost(self) -> int:
        """Return how many requests were never answered."""
        return sum(lost for _, lost, _ in self._noted)

    def unanswered(self) -> Usage | None:
        """Return the estimates of the requests that were never answered; None if there were none."""
        if not self._noted:
            return None
        lost = [usage for _, _, usage in self._noted if usage is not None]
        return reduce(plus, lost) if lost else None


class Beside(Attempts):
    """The requests inside a call that does not pay for them: their own calls have counted them."""

    __slots__ = ()

    def note(self, requests: int, lost: int = 0, unanswered: Usage | None = None) -> None:
        """Note that there were any: an agent makes thousands in one call."""
        if not self._noted:
            super().note(requests, lost, unanswered)

    def counted(self) -> bool:
        """Return whether any request was made."""
        return bool(self._noted)

    def requests(self) -> int:
        """Return 0: none of them is a request of the call around."""
        return 0

    def lost(self) -> int:
        """Return 0, for the same reason."""
        return 0

    def unanswered(self) -> Usage | None:
        """Return None, for the same reason."""
        return None
