"""The answers to HTTP attempts: the body passes to the caller, and the lease ends with it.

httpx and httpx2 share their interface but no class. Classes that must be theirs are made from the module
itself.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from outlay._http.ahead import ReadAhead
from outlay._http.body import BodyReader, Decode
from outlay._wraps.model_call import ModelCall
from outlay._wraps.said import body_of

_log = logging.getLogger("outlay")
_TOO_MANY_REQUESTS = 429
# The most bytes of an error that are kept to be read.
_ERROR_BYTES = 65_536


class AnswerEnd:
    """The end of one call. The last byte, a close or the garbage collector books it, whichever comes first.

    Args:
        call: The call, whose answer has begun.
        reader: What reads the answer's body.
        tell: Called after the booking.

    """

    def __init__(self, call: ModelCall, reader: BodyReader, tell: Callable[[], None] | None) -> None:
        self._reader = reader
        ahead = ReadAhead(active=call.parsed and reader.streams)
        self.held = ahead.held
        self._passed = ahead.passed
        self._tell = tell
        # Taking the one element is atomic, and decides which caller ends the call.
        self._open = [call]
        self._call = call

    def feed(self, piece: bytes) -> bytes:
        """Pass a piece of the body to the reader, and end the call if the provider says that it is the last.

        A layer around this one may stop reading here. It would then end first, and this call would be booked
        twice.

        Returns:
            What the caller is given now.

        """
        if self._open:
            self._reader.feed(piece)
            if self._reader.ended:
                self.end(complete=True)
        return self._passed(piece, ended=self._reader.ended)

    def end(self, *, complete: bool) -> None:
        """Book the call, once.

        Args:
            complete: The body came to its end.

        """
        try:
            call = self._open.pop()
        except IndexError:
            return
        reader = self._reader
        reader.finish()
        if reader.failed and not reader.started:
            call.refused()
        else:
            # The provider has begun to answer, so it bills, even if the answer never came whole.
            call.commit(reader.fields(), cut=reader.cut or not (complete or reader.ended))
        if self._tell is not None:
            self._tell()

    async def ended(self, error: BaseException | None = None) -> None:
        """Await the end of the call, as far as it is async."""
        await self._call.ended(error)

    def drop(self) -> None:
        """End the call from a destructor, which must not raise."""
        try:
            self.end(complete=False)
        except Exception:
            _log.exception("the lease of a dropped answer could not be ended")


class ErrorEnd:
    """The end of an error that is still to be read: its body may say when to come back.

    Args:
        response: The response.
        call: Its call, which has ended.
        decode: The decoder of its content coding; None if there is none.

    """

    def __init__(self, response: Any, call: ModelCall, decode: Decode | None) -> None:
        self._headers, self._status = response.headers, response.status_code
        self._decode = decode
        self._call = call
        self._pieces: list[bytes] = []
        self._left = _ERROR_BYTES

    def feed(self, piece: bytes) -> bytes:
        """Keep a piece of the body, of a body that is no longer than errors are.

        Returns:
            The piece, which the caller is given at once.

        """
        self._left -= len(piece)
        if self._left >= 0:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        return piece

    def held(self) -> bytes:
        """Return nothing: the caller has all that was read."""
        return b""

    def end(self, *, complete: bool) -> None:
        """Pass what was read to the limiters, if it came to its end."""
        body, self._pieces = b"".join(self._pieces), []
        if complete and body:
            self._call.observe(self._headers, self._status, self._decode(body) if self._decode else body)

    async def ended(self, error: BaseException | None = None) -> None:
        """Do nothing: the call has ended."""

    def drop(self) -> None:
        """Do nothing: what was not read is not known."""
        self._pieces = []


class Answers:
    """Ends calls by the answers to them, of httpx or httpx2.

    Args:
        hx: The module, `httpx` or `httpx2`.

    """

    def __init__(self, hx: ModuleType) -> None:
        self._hx = hx
        self._streams = _stream_classes(hx)

    def answered(self, response: Any, call: ModelCall) -> None:
        """Take over the lease of a call that was answered: it ends now, or with the body.

        Args:
            response: The `Response`, read or not; its `stream` is replaced where it is unread.
            call: The call, reserved.

        """
        if not response.is_success:
            self._refused(response, call)
            return
        kind = response.headers.get("content-type", "")
        tell: Callable[[], None] | None = functools.partial(_tell, response, call)
        if response.is_closed:
            ending = AnswerEnd(call, BodyReader(kind, headers=response.headers), tell)
            ending.feed(response.content)
            ending.end(complete=True)
            return
        headers = response.headers
        reader = BodyReader(kind, decode=decoder(self._hx, headers), headers=headers)
        if reader.streams:
            # Not at the end of the stream: what the headers say would be old by then.
            _tell(response, call)
            tell = None
        self._watch(response, AnswerEnd(call, reader, tell))

    def _refused(self, response: Any, call: ModelCall) -> None:
        if response.status_code == _TOO_MANY_REQUESTS:
            call.unbilled()
        else:
            call.refused()
        if response.is_closed:
            call.observe(response.headers, response.status_code, body_of(response))
            return
        _tell(response, call)
        self._watch(response, ErrorEnd(response, call, decoder(self._hx, response.headers)))

    def _watch(self, response: Any, ending: AnswerEnd | ErrorEnd) -> None:
        sync, asynchronous = self._streams
        watched = sync if isinstance(response.stream, self._hx.SyncByteStream) else asynchronous
        response.stream = watched(response.stream, ending)


def decoder(hx: ModuleType, headers: Mapping[str, str]) -> Decode | None:
    """Return the decoder of the content coding that the headers name; None if there is none."""
    coding = headers.get("content-encoding", "identity")
    if coding.strip().lower() == "identity":
        return None

    def decode(body: bytes) -> bytes:
        try:
            content: bytes = hx.Response(200, headers={"content-encoding": coding}, content=body).content
        except hx.HTTPError:
            return b""
        return content

    return decode


def _tell(response: Any, call: ModelCall) -> None:
    call.observe(response.headers, response.status_code)


@functools.cache
def _stream_classes(hx: ModuleType) -> tuple[type[Any], type[Any]]:
    """Return the two kinds of bodies that are read while they pass: for a Client and an AsyncClient."""
    return _sync_stream_class(hx), _async_stream_class(hx)


def _sync_stream_class(hx: ModuleType) -> type[Any]:
    class Watched(hx.SyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, inner: Any, ending: AnswerEnd) -> None:
            self._inner = inner
            self._ending = ending

        def __iter__(self) -> Iterator[bytes]:
            pieces = iter(self._inner)
            try:
                for piece in pieces:
                    if passed := self._ending.feed(piece):
                        yield passed
            except BaseException as error:
                # A layer further in ends first: one that outlived this one would be booked beside it.
                try:
                    if hasattr(pieces, "close"):
                        pieces.close()
                finally:
                    self._ending.end(complete=False)
                if isinstance(error, Exception) and (held := self._ending.held()):
                    # What came is given first.
                    yield held
                raise
            self._ending.end(complete=True)
            if held := self._ending.held():
                yield held

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._ending.end(complete=False)

        def __getattr__(self, name: str) -> Any:
            # httpx2 keeps the elapsed time there, Anthropic's SDK its tracing.
            return getattr(self.__dict__["_inner"], name)

        def __del__(self) -> None:
            self._ending.drop()

    return Watched


def _async_stream_class(hx: ModuleType) -> type[Any]:
    class AsyncWatched(hx.AsyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, inner: Any, ending: AnswerEnd) -> None:
            self._inner = inner
            self._ending = ending

        async def __aiter__(self) -> AsyncIterator[bytes]:
            pieces = aiter(self._inner)
            try:
                async for piece in pieces:
                    if passed := self._ending.feed(piece):
                        yield passed
            except BaseException as error:
                # Now, and not when the event loop comes to it; a layer further in ends first.
                try:
                    if hasattr(pieces, "aclose"):
                        await pieces.aclose()
                finally:
                    self._ending.end(complete=False)
                    await self._ending.ended(error)
                if isinstance(error, Exception) and (held := self._ending.held()):
                    yield held
                raise
            self._ending.end(complete=True)
            await self._ending.ended()
            if held := self._ending.held():
                yield held

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._ending.end(complete=False)
                await self._ending.ended()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.__dict__["_inner"], name)

        def __del__(self) -> None:
            self._ending.drop()

    return AsyncWatched
