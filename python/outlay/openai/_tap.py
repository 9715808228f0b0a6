"""Watches a response that is still to be read, and ends its call when the response ends.

Every way of reading goes through the response's `iter_bytes`: the client's streams and their helpers, raw and
streaming responses, their text and lines. So it is watched there, on the one response, and not in each way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from outlay._wraps import ModelCall
from outlay.openai._events import Reader

_END: Any = object()


class Tap:
    """The end of one call: once, whoever comes first.

    Args:
        call: The call, which is reserved.
        reader: Reads what passes.

    """

    def __init__(self, call: ModelCall, reader: Reader) -> None:
        self._call = call
        self._reader = reader
        self._open = threading.Lock()
        # Reading to the end closes the response from within; that is no early end.
        self._reading = False

    def attach(self, response: Any) -> None:
        """Watch an httpx response, of whichever httpx."""
        self._iterate, self._aiterate = response.iter_bytes, response.aiter_bytes
        self._close, self._aclose = response.close, response.aclose
        response.iter_bytes, response.aiter_bytes = self.iter_bytes, self.aiter_bytes
        response.close, response.aclose = self.close, self.aclose

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Pass the bytes on as the response gives them."""
        chunks = self._iterate(chunk_size)
        try:
            while True:
                self._reading = True
                try:
                    chunk = next(chunks, _END)
                except Exception:
                    # What came is given first.
                    self._reading = False
                    if held := self._reader.held():
                        yield held
                    raise
                finally:
                    self._reading = False
                passed = self._read(chunk)
                if passed:
                    yield passed
                if chunk is _END:
                    return
        except BaseException as error:
            self._end(error)
            raise

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Pass the bytes on as the response gives them."""
        chunks = self._aiterate(chunk_size)
        try:
            while True:
                self._reading = True
                try:
                    chunk = await anext(chunks, _END)
                except Exception:
                    # What came is given first.
                    self._reading = False
                    if held := self._reader.held():
                        yield held
                    raise
                finally:
                    self._reading = False
                passed = self._read(chunk)
                await self._call.ended()
                if passed:
                    yield passed
                if chunk is _END:
                    return
        except BaseException as error:
            self._end(error)
            await self._call.ended(error)
            raise

    def close(self) -> None:
        """Close the response; before its end, that is to leave it early."""
        try:
            self._close()
        finally:
            if not self._reading:
                self._end(GeneratorExit())

    async def aclose(self) -> None:
        """Close the response; before its end, that is to leave it early."""
        try:
            await self._aclose()
        finally:
            if not self._reading:
                self._end(GeneratorExit())
                await self._call.ended()

    def __del__(self) -> None:
        # A stream that nobody read and nobody closed: the provider wrote it all the same.
        with contextlib.suppress(Exception):
            self._end(GeneratorExit())

    def _read(self, chunk: Any) -> bytes:
        if chunk is not _END:
            passed = self._reader.feed(chunk)
            if self._reader.complete:
                self._end(None)
            return passed
        passed = self._reader.end()
        self._end(None)
        return passed

    def _end(self, error: BaseException | None) -> None:
        if not self._open.acquire(blocking=False):
            return
        seen = self._reader.seen
        if self._reader.refused:
            # The status was good, and the first event an error.
            self._call.refused()
        else:
            # The provider has begun to answer, so it bills: also where nothing of it came.
            self._call.commit(seen.fields(), cut=error is not None)
