"""The frames of `application/vnd.amazon.eventstream`, in which Bedrock streams."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

# AWS, "Event stream encoding": the lengths of the frame and of its headers, a checksum, the headers, the
# payload, a checksum.
_PRELUDE = 12
_CHECKSUM = 4
_FRAME_MAX = 32 * 1024 * 1024
# InvokeModel has the provider's own event in base64.
_CODED = re.compile(rb'"bytes":\s*"([A-Za-z0-9+/=]+)"')


class Frames:
    """Takes bytes as they come, and gives the events in the frames that are whole."""

    def __init__(self) -> None:
        self._unread = b""
        self._broken = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take some bytes; give the JSON of each event, and of Converse without its name."""
        if self._broken:
            return
        self._unread += piece
        while len(self._unread) >= _PRELUDE:
            length = int.from_bytes(self._unread[:4], "big")
            headers = int.from_bytes(self._unread[4:8], "big")
            if not _PRELUDE + headers + _CHECKSUM <= length <= _FRAME_MAX:
                # These are no frames, so nothing can be read; the estimate is booked.
                self._broken, self._unread = True, b""
                return
            if len(self._unread) < length:
                return
            payload = self._unread[_PRELUDE + headers : length - _CHECKSUM]
            self._unread = self._unread[length:]
            yield _event(payload)


def _event(payload: bytes) -> bytes:
    coded = _CODED.search(payload)
    if coded is None:
        return payload
    try:
        return base64.b64decode(coded[1])
    except ValueError:
        return b""
