"""`ReadAhead`: reads the usage of a stream before it passes on what a client may be unable to parse.

The helpers of SDKs parse a structured answer while its stream is read. What they raise closes the stream,
and the usage, which comes right behind, would be lost.
"""

from __future__ import annotations

import re

# What is parsed: the last choice of chat completions, a text of responses, a block of messages.
_PARSED = re.compile(
    rb'"finish_reason"\s*:\s*"\w|"type"\s*:\s*"(?:response\.output_text\.done|content_block_stop)"'
)
# What is more of the answer. Behind the last choice of chat completions there is none.
_GOES_ON = re.compile(
    rb'"type"\s*:\s*"(?:content_block_start"|response\.(?!(?:output_text|content_part|output_item)\.done))'
)
# The names may be cut by the end of a piece.
_TAIL = 64


class ReadAhead:
    """Keeps back what may be refused, until more of the answer or its end has come.

    Args:
        active: Whether the client parses the answer; if not, all is passed on at once.

    """

    def __init__(self, *, active: bool) -> None:
        self._active = active
        self._tail = b""
        self._holds = False
        self._held: list[bytes] = []

    def passed(self, piece: bytes, *, ended: bool) -> bytes:
        """Take a piece of the stream, and return what is passed on now.

        Args:
            piece: One line or more, or a part of one.
            ended: The answer and its usage have come whole.

        """
        if not self._active:
            return piece
        text = self._tail + piece
        self._tail = text[-_TAIL:]
        parsed, goes_on = _last(_PARSED, text), _last(_GOES_ON, text)
        if parsed != goes_on:
            self._holds = parsed > goes_on
        self._held.append(piece)
        return b"" if self._holds and not ended else self.held()

    def held(self) -> bytes:
        """Return what was kept back: the stream has ended, or is broken."""
        held = b"".join(self._held)
        self._held.clear()
        return held


def _last(pattern: re.Pattern[bytes], text: bytes) -> int:
    return max((found.start() for found in pattern.finditer(text)), default=-1)
