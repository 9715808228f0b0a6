"""The usage in the body of an HTTP answer, read as it passes: JSON, lines, server-sent events, or frames.

Each piece goes on to the caller when it arrives. A body of events is read line by line and forgotten; a JSON
body is kept until it ends. What a body is, it says itself where its content type does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from outlay._http.frames import Frames
from outlay._usage.fields import Fields
from outlay._usage.outcome import error_in, refusal_in
from outlay._usage.shapes.clouds import header_fields
from outlay._usage.stream import StreamUsage

Decode = Callable[[bytes], bytes]
# Sound and pictures report no usage, and are not kept.
_OPAQUE = ("audio/", "image/", "video/")
_BYTES = "application/octet-stream"
_FRAMES = "amazon.eventstream"
_EVENTS = "event-stream"
# Ollama sends application/x-ndjson.
_LINES = ("ndjson", "jsonl", "json-lines", "json-seq", "stream+json")
# How a body of server-sent events begins, whatever its content type.
_EVENTS_BEGIN = (b"data:", b"event:", b"id:", b"retry:", b":")
_BEGIN_SIZE = max(map(len, _EVENTS_BEGIN))
_SPACE = b" \t\r\n\xef\xbb\xbf\x1e"
# A tuple: what a provider sends as a type may have no hash.
_ENDS = ("message_stop", "response.completed", "response.incomplete", "response.failed")


class BodyReader:
    """The usage that the body of one answer has shown so far.

    Args:
        content_type: The type of the body, in any case; anything that is no stream is read as JSON.
        decode: Decodes the content coding of a whole body or of its beginning; None if it has none.
        headers: The headers of the answer: Bedrock counts some models there alone; default None.

    """

    def __init__(
        self,
        content_type: str,
        *,
        decode: Decode | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        #: The provider said that the answer is complete.
        self.ended = False
        #: An error came in place of an answer.
        self.failed = False
        # RFC 9110, 8.3.1: the case of a media type says nothing.
        self._kind = content_type.lower()
        #: Whether the body is a stream of events, by its type.
        self.streams = any(word in self._kind for word in (_FRAMES, _EVENTS, *_LINES))
        self._decode = decode
        self._headers = headers
        self._usage = StreamUsage()
        self._frames = Frames()
        # What reads the body; None until its first bytes have come.
        self._read: Callable[[bytes], None] | None = self._ignore if self._kind.startswith(_OPAQUE) else None
        self._kept: list[bytes] = []
        self._line = b""
        self._data: list[bytes] = []
        self._output_is_open = False

    def feed(self, piece: bytes) -> None:
        """Read one piece of the body, as it came from the network."""
        if self._decode is not None:
            self._keep(piece)
        elif self._read is not None:
            self._read(piece)
        else:
            self._begin(piece)

    def finish(self) -> None:
        """Read what is still unread: nothing more comes."""
        if self._decode is not None:
            body = self._decode(b"".join(self._kept))
            self._kept.clear()
            if self._read is None:
                self._begin(body)
        if self._read is None:
            head, self._line = self._line, b""
            self._read = self._reader(head.lstrip(_SPACE))
            self._read(head)
        if self._read == self._keep:
            body = b"".join(self._kept)
            self._kept.clear()
            self._read_json(body)
        elif self._read != self._read_frames:
            self._read(b"\n\n")

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if the body has none."""
        return self._usage.fields() or header_fields(self._headers)

    @property
    def started(self) -> bool:
        """Whether a piece of the answer has come, so that it is billed."""
        return self._usage.started

    @property
    def cut(self) -> bool:
        """Whether the output is unknown although the input is known."""
        return self._output_is_open

    def _begin(self, piece: bytes) -> None:
        """Choose how the body is read, as soon as it shows what it is."""
        head = self._line + piece
        start = head.lstrip(_SPACE)
        if len(start) < _BEGIN_SIZE and _FRAMES not in self._kind:
            self._line = head
            return
        self._line = b""
        self._read = self._reader(start)
        self._read(head)

    def _reader(self, start: bytes) -> Callable[[bytes], None]:
        if _FRAMES in self._kind:
            return self._read_frames
        if start.startswith(_EVENTS_BEGIN):
            return self._read_events
        if self._kind.startswith(_BYTES):
            return self._ignore
        if any(word in self._kind for word in _LINES):
            return self._read_lines
        # An error may come as JSON where events were asked for.
        return self._read_events if _EVENTS in self._kind and start[:1] != b"{" else self._keep

    def _ignore(self, piece: bytes) -> None:
        pass

    def _keep(self, piece: bytes) -> None:
        self._kept.append(piece)

    def _read_json(self, body: bytes) -> None:
        answer = parsed(body)
        if answer is None and b"\n" in body:
            # A stream of lines that has another type.
            self._read_lines(body + b"\n")
            return
        # Gemini streams one JSON list where it is not asked for events.
        for one in answer if isinstance(answer, list) else [answer]:
            if not isinstance(one, Mapping):
                continue
            if refusal_in(one):
                self.failed = True
                continue
            self._usage.add(one)

    def _read_events(self, piece: bytes) -> None:
        *lines, self._line = (self._line + piece).split(b"\n")
        for ended in lines:
            line = ended.rstrip(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            elif not line and self._data:
                self._read_event(b"\n".join(self._data))
                self._data.clear()

    def _read_lines(self, piece: bytes) -> None:
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            data = line.strip(_SPACE)
            if data:
                self._read_telling(parsed(data))

    def _read_frames(self, piece: bytes) -> None:
        for event in self._frames.feed(piece):
            self._read_telling(parsed(event))

    def _read_event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.ended = True
        elif not self._usage.started or _may_say(data):
            self._read_telling(parsed(data))

    def _read_telling(self, event: Any) -> None:
        if not isinstance(event, dict):
            self._usage.started = True
            return
        kind = event.get("type")
        if kind == "message_start":
            # Anthropic counts the output anew in message_delta; until then its count is of the first piece.
            self._output_is_open = _without_output(event)
        elif kind == "message_delta" and event.get("usage"):
            self._output_is_open = False
        # Ollama's last line is done.
        if kind in _ENDS or event.get("done") is True:
            self.ended = True
        self._usage.add(event)
        self.failed = self.failed or self._usage.refused or error_in(event)


def _may_say(data: bytes) -> bool:
    """Return whether an event can say something about the usage; the others are not even parsed."""
    return (
        b"usage" in data
        or b"message_stop" in data
        or b"error" in data
        or b"generated_tokens" in data
        or b"tokens_predicted" in data
    )


def _without_output(event: dict[str, Any]) -> bool:
    message = event.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    if not isinstance(usage, dict):
        return False
    usage["output_tokens"] = 0
    return True


def parsed(data: bytes) -> Any:
    """Return the value of a JSON text; None where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
