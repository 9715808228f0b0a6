"""The answers to the client of OpenAI's SDK inside a guarded model: it may not be able to parse one.

The model parses a structured answer inside of its own call. The error that it raises then may lack the
answer, which is billed all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from outlay._http import parsed
from outlay._wraps import Fields, StreamUsage, known_fields

_CHUNKS = "_iterator"


class Heard:
    """The answers to the requests of one call."""

    def __init__(self) -> None:
        self._body: Any = None
        self._seen = StreamUsage()

    def answered(self, made: Any, options: Any) -> None:
        """Note what a request of the client has made: a raw response, or a stream.

        Args:
            made: What its caller is given; a stream is watched.
            options: The options of the request.

        """
        body = getattr(made, "http_response", None)
        self._body = body if getattr(body, "is_closed", False) else None
        chunks: Any = getattr(made, _CHUNKS, None)
        asked = options.json_data if isinstance(options.json_data, dict) else {}
        # After its last piece, a stream of chat has its usage; it is read before a parser refuses that piece.
        ahead = asked.get("response_format") is not None and asked.get("n") in (None, 1)
        if hasattr(chunks, "__anext__"):
            made._iterator = self._watched_async(chunks, ahead=ahead)
        elif hasattr(chunks, "__next__"):
            made._iterator = self._watched(chunks, ahead=ahead)

    def fields(self) -> Fields | None:
        """Return the usage that was heard; None without one."""
        if self._body is None:
            return self._seen.fields()
        return known_fields(parsed(self._body.content))

    def _watched(self, chunks: Iterator[Any], *, ahead: bool) -> Iterator[Any]:
        for chunk in chunks:
            self._seen.add(chunk)
            if not (ahead and _is_last(chunk)):
                yield chunk
                continue
            rest: list[Any] = []
            broke: Exception | None = None
            try:
                for one in chunks:
                    self._seen.add(one)
                    rest.append(one)
            except Exception as error:
                # What came is given first.
                broke = error
            yield from (chunk, *rest)
            if broke is not None:
                raise broke

    async def _watched_async(self, chunks: AsyncIterator[Any], *, ahead: bool) -> AsyncIterator[Any]:
        async for chunk in chunks:
            self._seen.add(chunk)
            if not (ahead and _is_last(chunk)):
                yield chunk
                continue
            rest: list[Any] = []
            broke: Exception | None = None
            try:
                async for one in chunks:
                    self._seen.add(one)
                    rest.append(one)
            except Exception as error:
                # What came is given first.
                broke = error
            for one in (chunk, *rest):
                yield one
            if broke is not None:
                raise broke


def _is_last(chunk: Any) -> bool:
    choices: Any = getattr(chunk, "choices", None)
    return bool(choices) and getattr(choices[0], "finish_reason", None) is not None


current: ContextVar[Heard | None] = ContextVar("outlay_langchain_heard", default=None)


@contextmanager
def hearing(heard: Heard) -> Iterator[None]:
    """Note in `heard` what the client inside is answered, while the block runs."""
    token = current.set(heard)
    try:
        yield
    finally:
        # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
        with suppress(ValueError):
            current.reset(token)
