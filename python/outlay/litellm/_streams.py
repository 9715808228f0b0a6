"""Guarded streams of LiteLLM: each step runs inside the call, and the end of the stream ends the call."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from outlay._wraps import known_fields, move_usages
from outlay.litellm._call import ChunkUsage, LiteCall, from_cache


class _Stream:
    """Ends its call once: at the end of the stream, at its failure, when it is closed or thrown away."""

    def __init__(self, inner: Any, call: LiteCall, *, hide: bool) -> None:
        self._outlay_inner = inner
        self._outlay_hide = hide
        self._outlay_seen = ChunkUsage(inner)
        self._outlay_call: LiteCall | None = call
        self._outlay_last: LiteCall | None = call
        self._outlay_moved = move_usages(getattr(inner, "completion_stream", None))
        if from_cache(inner):
            self._outlay_call = None
            call.release()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_outlay"):  # not made yet
            raise AttributeError(name)
        return getattr(self._outlay_inner, name)

    @property
    def __class__(self) -> Any:  # the hosts ask isinstance(stream, CustomStreamWrapper)
        return type(self._outlay_inner)

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("the class of a guarded stream is that of what it guards")

    def __del__(self) -> None:
        self._outlay_cut()

    def _outlay_take(self) -> LiteCall | None:
        call, self._outlay_call = self._outlay_call, None
        if call is not None:
            call.answered(self._outlay_inner)
        return call

    def _outlay_end(self) -> None:
        call = self._outlay_take()
        if call is not None:
            call.finish(self._outlay_seen)

    def _outlay_cut(self) -> None:
        # The request is under way from the first moment, so a stream that nobody read is billed too.
        call = self.__dict__.get("_outlay_call") and self._outlay_take()
        if call:
            call.commit(self._outlay_seen.fields(), cut=True)

    def _outlay_fail(self, error: BaseException) -> None:
        call = self._outlay_take()
        if call is not None:
            call.fail(error, self._outlay_seen)

    def _outlay_entered(self) -> Any:
        return contextlib.nullcontext() if self._outlay_call is None else self._outlay_call.entered()

    def _outlay_shown(self, chunk: Any) -> bool:
        """Note a chunk, and say whether the caller is to see it."""
        if not self._outlay_moved:
            # LiteLLM has made the provider's stream for the first chunk.
            self._outlay_moved = True
            move_usages(getattr(self._outlay_inner, "completion_stream", None))
        self._outlay_seen.add(chunk)
        return not (self._outlay_hide and _is_usage_only(chunk))


class SyncStream(_Stream):
    """A guarded stream that is read with `for`."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while True:
            try:
                with self._outlay_entered():
                    chunk = next(self._outlay_inner)
            except StopIteration:
                self._outlay_end()
                raise
            except BaseException as error:
                self._outlay_fail(error)
                raise
            if self._outlay_shown(chunk):
                return chunk

    def close(self) -> None:
        """Charge what was used so far and let the connection go."""
        self._outlay_cut()
        # LiteLLM's own stream has no close(): the provider's is inside it.
        for stream in (self._outlay_inner, getattr(self._outlay_inner, "completion_stream", None)):
            close = getattr(stream, "close", None)
            if close is not None:
                close()
                return

    def __enter__(self) -> SyncStream:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class AsyncStream(_Stream):
    """A guarded stream that is read with `async for`."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while True:
            try:
                with self._outlay_entered():
                    chunk = await anext(self._outlay_inner)
            except StopAsyncIteration:
                self._outlay_end()
                await self._outlay_ended()
                raise
            except BaseException as error:
                self._outlay_fail(error)
                await self._outlay_ended(error)
                raise
            if self._outlay_shown(chunk):
                return chunk

    async def _outlay_ended(self, error: BaseException | None = None) -> None:
        if self._outlay_last is not None:
            await self._outlay_last.ended(error)

    async def aclose(self) -> None:
        """Charge what was used so far and let the connection go."""
        self._outlay_cut()
        await self._outlay_ended()
        close = getattr(self._outlay_inner, "aclose", None)
        if close is not None:
            await close()

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()


def _is_usage_only(chunk: Any) -> bool:
    """Say whether a chunk carries a usage and nothing that a caller who asked for none would miss."""
    if known_fields(chunk) is None and getattr(chunk, "usage", None) is None:
        return False
    choices = getattr(chunk, "choices", None) or ()
    return not any(choice.finish_reason or _says_something(choice.delta) for choice in choices)


def _says_something(delta: Any) -> bool:
    said = delta.model_dump(exclude_none=True) if hasattr(delta, "model_dump") else dict(delta or {})
    return any(value for name, value in said.items() if name != "role")
