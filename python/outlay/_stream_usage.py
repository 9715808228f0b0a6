"""The usage of a stream, put together from what its chunks say."""

from __future__ import annotations

from typing import Any

from outlay._layer import known_fields
from outlay._responses import Fields


class StreamUsage:
    """What the chunks or events of a stream have said so far.

    Providers tell it in different ways: OpenAI in one last chunk, Anthropic the input at the start and the
    running output later, Gemini the running total in every chunk. Of each count the last word is the largest,
    so that is kept.
    """

    def __init__(self) -> None:
        self.started = False
        self._fields: Fields | None = None

    def add(self, chunk: Any) -> None:
        """Read one chunk or event, as an object or as the dict of its JSON."""
        self.started = True
        fields = known_fields(chunk)
        if fields is None:
            return
        seen = self._fields or {}
        self._fields = {name: max(count, seen.get(name, 0)) for name, count in {**seen, **fields}.items()}

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if no chunk told it."""
        return self._fields
