"""The usage of a stream, put together from what its chunks say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay._layer import known_fields
from outlay._responses import Fields

# OpenAI's responses: what comes before the first piece, and what comes in place of an answer.
BEGUN = frozenset({"response.created", "response.queued", "response.in_progress"})
FAILED = "response.failed"


def kind_of(event: Any) -> Any:
    """Return the type of an event, as an object or as the dict of its JSON; None without one."""
    return event.get("type") if isinstance(event, Mapping) else getattr(event, "type", None)


class StreamUsage:
    """What the chunks or events of a stream have said so far.

    Providers tell it in different ways: OpenAI in one last chunk, Anthropic the input at the start and the
    running output later, Gemini the running total in every chunk. Of each count the last word is the largest,
    so that is kept.
    """

    def __init__(self) -> None:
        self.started = False
        #: The provider has failed before its first piece, and bills nothing.
        self.refused = False
        self._fields: Fields | None = None

    def add(self, chunk: Any) -> None:
        """Read one chunk or event, as an object or as the dict of its JSON."""
        fields = known_fields(chunk)
        if fields is None:
            self._silent(kind_of(chunk))
            return
        self.started = True
        seen = self._fields or {}
        self._fields = {name: max(count, seen.get(name, 0)) for name, count in {**seen, **fields}.items()}

    def _silent(self, kind: Any) -> None:
        if kind == FAILED and not self.started:
            self.refused = True
        elif kind not in BEGUN:
            self.started = True

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if no chunk told it."""
        return self._fields
