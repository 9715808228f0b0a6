"""Reads the usage out of the bytes of a response as they pass: server-sent events, or one JSON body."""

from __future__ import annotations

import re
from typing import Any, Protocol

from outlay._http import ReadAhead, parsed
from outlay._wraps import StreamUsage, refusal_in

# A usage with counts; most chunks say "usage": null. Nested in text, the quotes are escaped.
_USAGE = re.compile(rb'"usage"\s*:\s*(?!null|\s)')
# A tuple: what a provider sends as a type may have no hash.
_LAST = ("response.completed", "response.incomplete", "response.failed")


class Reader(Protocol):
    """Looks at what passes, and may keep some of it from the caller."""

    seen: StreamUsage
    complete: bool
    refused: bool

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider, and return those that are passed on now."""

    def end(self) -> bytes:
        """Return what is passed on after the last byte came."""

    def held(self) -> bytes:
        """Return what was kept back until now: the stream is broken."""


class Events:
    """Server-sent events, line by line.

    Args:
        hide: Keep back the chunk of chat completions that tells nothing but the usage.
        ahead: Read the usage before a piece is passed on that the client may be unable to parse.

    """

    def __init__(self, *, hide: bool, ahead: bool = False) -> None:
        self.seen = StreamUsage()
        self.complete = False
        self.refused = False
        self._hide = hide
        self._line = b""
        self._hidden = False
        self._ahead = ReadAhead(active=ahead)
        self.held = self._ahead.held

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider, and return the whole lines among them."""
        lines = (self._line + chunk).split(b"\n")
        self._line = lines.pop()
        passed = b"".join(line + b"\n" for line in lines if self._keep(line))
        return self._ahead.passed(passed, ended=self.complete)

    def end(self) -> bytes:
        """Return what was kept back, and a last line that had no end."""
        line, self._line = self._line, b""
        return self.held() + (line if self._keep(line) else b"")

    def _keep(self, line: bytes) -> bool:
        if not line.startswith(b"data:"):
            # The blank line that ends a hidden event goes with it.
            hidden, self._hidden = self._hidden and not line.strip(), False
            return not hidden
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            self.complete = True
            return True
        if not self.seen.started or _USAGE.search(data):
            return self._read(parsed(data))
        return True

    def _read(self, event: Any) -> bool:
        if not isinstance(event, dict):
            self.seen.started = True
            return True
        self.seen.add(event)
        self.refused = self.seen.refused
        if event.get("type") in _LAST:
            self.complete = True
        self._hidden = self._hide and event.get("choices") == [] and bool(event.get("usage"))
        return not self._hidden


class Body:
    """One JSON body, kept until its end."""

    def __init__(self) -> None:
        self.seen = StreamUsage()
        self.complete = False
        self.refused = False
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider, and pass them on."""
        self._parts.append(chunk)
        return chunk

    def end(self) -> bytes:
        """Read the whole body."""
        body = b"".join(self._parts)
        answer = parsed(body)
        self._parts.clear()
        if answer is None and body.lstrip().startswith((b"data:", b"event:", b":")):
            # Events under the type of JSON.
            self._read_events(body)
        elif isinstance(answer, dict):
            self.refused = refusal_in(answer)
            self.seen.add(answer)
        return b""

    def held(self) -> bytes:
        """Return nothing: all is passed on."""
        return b""

    def _read_events(self, body: bytes) -> None:
        events = Events(hide=False)
        events.feed(body)
        events.end()
        self.seen, self.complete, self.refused = events.seen, events.complete, events.refused
