"""The usage in the body of an HTTP answer, read as it passes: JSON, server-sent events or Bedrock's frames.

Each piece goes on to the caller when it arrives. A body of events is read line by line and forgotten; a JSON
body is kept until it ends.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.outcome import refusal_in
from outlay._usage.stream import StreamUsage

Decode = Callable[[bytes], bytes]
# Only events with one of these words can say something about the usage; the others are not even parsed.
_TELLING = (b"usage", b"message_stop", b"error")
# Sound and pictures report no usage, and are not kept.
_OPAQUE = ("audio/", "image/", "video/", "application/octet-stream")
# A tuple: what a provider sends as a type may have no hash.
_ENDS = ("message_stop", "response.completed", "response.incomplete", "response.failed")
# Bedrock's streams are frames of bytes around JSON, with the provider's own event in base64.
_FRAMED = re.compile(rb'"bytes":\s*"([A-Za-z0-9+/=]+)"')


class BodyReader:
    """The usage that the body of one answer has shown so far.

    Args:
        content_type: The type of the body; anything that is no stream is read as JSON.
        decode: Decodes the content coding of a whole body or of its beginning; None if it has none.

    """

    def __init__(self, content_type: str, *, decode: Decode | None = None) -> None:
        #: The provider said that the answer is complete.
        self.ended = False
        #: An error came in place of an answer.
        self.failed = False
        self._read_stream = self._stream_reader(content_type)
        self._opaque = content_type.startswith(_OPAQUE)
        self._decode = decode
        self._usage = StreamUsage()
        self._kept: list[bytes] = []
        self._line = b""
        self._data: list[bytes] = []
        self._output_is_open = False

    def feed(self, piece: bytes) -> None:
        """Read one piece of the body, as it came from the network."""
        if self._opaque:
            return
        if self._decode is not None or self._read_stream is None:
            self._kept.append(piece)
        else:
            self._read_stream(piece)

    def finish(self) -> None:
        """Read what is still unread: nothing more comes."""
        body = b"".join(self._kept)
        self._kept.clear()
        if self._decode is not None:
            body = self._decode(body)
        if self._read_stream is None:
            self._read_json(body)
        else:
            self._read_stream(body + b"\n\n")

    def fields(self) -> Fields | None:
        """Return the usage as `Usage` names it, or None if the body has none."""
        return self._usage.fields()

    @property
    def started(self) -> bool:
        """Whether a piece of the answer has come, so that it is billed."""
        return self._usage.started

    @property
    def streams(self) -> bool:
        """Whether the body is a stream of events."""
        return self._read_stream is not None

    @property
    def cut(self) -> bool:
        """Whether the output is unknown although the input is known."""
        return self._output_is_open

    def _stream_reader(self, content_type: str) -> Callable[[bytes], None] | None:
        if "amazon.eventstream" in content_type:
            return self._read_frames
        return self._read_events if "event-stream" in content_type else None

    def _read_json(self, body: bytes) -> None:
        answer = _parsed(body)
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

    def _read_frames(self, piece: bytes) -> None:
        self._line += piece
        end = 0
        for found in _FRAMED.finditer(self._line):
            end = found.end()
            self._read_event(_from_base64(found[1]))
        self._line = self._line[end:]

    def _read_event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.ended = True
        elif any(word in data for word in _TELLING):
            self._read_telling(_parsed(data))
        else:
            self._usage.started = True

    def _read_telling(self, event: Any) -> None:
        if not isinstance(event, dict):
            return
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            self.failed = True
            return
        if kind == "message_start":
            # Anthropic counts the output anew in message_delta; until then its count is of the first piece.
            self._output_is_open = _without_output(event)
        elif kind == "message_delta" and event.get("usage"):
            self._output_is_open = False
        if kind in _ENDS:
            self.ended = True
        self._usage.add(event)
        self.failed = self.failed or self._usage.refused


def _without_output(event: dict[str, Any]) -> bool:
    message = event.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    if not isinstance(usage, dict):
        return False
    usage["output_tokens"] = 0
    return True


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError:
        return b""


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
