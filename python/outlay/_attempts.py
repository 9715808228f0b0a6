"""What the layers inside a call have sent: how many requests, and what the unanswered ones may have used."""

from __future__ import annotations

from outlay._core import Usage


class Attempts:
    """The requests of one call, as the layers inside it tell them: a transport sees more than a model.

    A list is appended to in one step, in any thread and in the collector too, so there is no lock.
    """

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: list[tuple[int, Usage | None]] = []

    def note(self, requests: int, unanswered: Usage | None) -> None:
        """Note requests that were made, and what those may have used that were never answered."""
        self._noted.append((requests, unanswered))

    def requests(self) -> int:
        """Return how many requests were made; 0 where no layer inside has told of any."""
        return sum(requests for requests, _ in self._noted)

    def some_answered(self) -> bool:
        """Return whether a layer inside saw an answer, be it an error."""
        return any(usage is None for _, usage in self._noted)

    def unanswered(self) -> Usage | None:
        """Return the estimates of the requests that were never answered; None if there were none."""
        lost = [usage for _, usage in self._noted if usage is not None]
        return sum(lost[1:], lost[0]) if lost else None
