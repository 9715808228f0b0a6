"""The guarded class of a chat model: a subclass that asks its budgets before each call.

Every way of calling a chat model goes through the four methods below, under its cache and above its provider.
A method that the class does not implement is left alone, because LangChain asks the class which methods it
implements.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.language_models import BaseChatModel
from pydantic import Field, create_model

from outlay._wraps import ProcessLock, moved_usage
from outlay.langchain._beside import tell_beside
from outlay.langchain._call import GUARDED, LAYERS, MessageUsage, model_call
from outlay.langchain._heard import Heard, hearing
from outlay.langchain._retry import with_retry

_END: Any = object()
# Of ChatOpenAI and its like: it reads one chunk of chat completions.
_CONVERT = "_convert_chunk_to_generation_chunk"
# Weak, so that a model class made inside a function is not kept for ever.
_guarded: WeakValueDictionary[type[BaseChatModel], type[BaseChatModel]] = WeakValueDictionary()
_making = ProcessLock()


def guarded_class(cls: type[BaseChatModel]) -> type[BaseChatModel]:
    """Return the guarded class of a model class, always the same while it is in use."""
    with _making:
        known = _guarded.get(cls)
        if known is None:
            known = _guarded[cls] = _make(cls)
        return known


def _make(cls: type[BaseChatModel]) -> type[BaseChatModel]:
    # A field and not a private attribute: LangChain rebuilds models from their fields (configurable_fields),
    # and a rebuilt model must keep its budget. Excluded: it is no part of what is serialised or cached.
    layers: Any = (Any, Field(default=(), exclude=True, repr=False))
    guarded: Any = create_model(
        cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **{LAYERS: layers}
    )
    guarded.__qualname__ = cls.__qualname__
    guarded._get_ls_params = _mark(cls._get_ls_params)
    guarded.with_retry = with_retry(cls.with_retry)
    guarded._generate = _guard_generate(cls._generate)
    if cls._agenerate is not BaseChatModel._agenerate:
        guarded._agenerate = _guard_agenerate(cls._agenerate)
    if cls._stream is not BaseChatModel._stream:
        guarded._stream = _guard_stream(cls._stream)
    if cls._astream is not BaseChatModel._astream:
        guarded._astream = _guard_astream(cls._astream)
    # Optional in LangChain: integrations that speak its event protocol themselves bypass _stream.
    for name, guard in (
        ("_stream_chat_model_events", _guard_stream),
        ("_astream_chat_model_events", _guard_astream),
    ):
        native = getattr(cls, name, None)
        if native is not None:
            setattr(guarded, name, guard(native))
    convert = getattr(cls, _CONVERT, None)
    if convert is not None:
        setattr(guarded, _CONVERT, _guard_convert(convert))
    tell_beside(guarded, cls)
    return guarded  # type: ignore[no-any-return]


def _mark(original: Callable[..., Any]) -> Callable[..., Any]:
    # LangChain puts these into the metadata of the run: traces and `audit` see that the call is metered.
    @functools.wraps(original)
    def _get_ls_params(self: BaseChatModel, *args: Any, **kwargs: Any) -> Any:
        return {**original(self, *args, **kwargs), GUARDED: True}

    return _get_ls_params


def _guard_convert(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _convert_chunk_to_generation_chunk(self: BaseChatModel, chunk: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, moved_usage(chunk), *args, **kwargs)

    return _convert_chunk_to_generation_chunk


def _guard_generate(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def _generate(self: BaseChatModel, messages: Any, *args: Any, **kwargs: Any) -> Any:
        call = model_call(self, messages, kwargs)
        call.reserve()
        heard = Heard()
        try:
            with call.entered(), hearing(heard):
                result = original(self, messages, *args, **kwargs)
        except BaseException as error:
            call.fail(error, heard=heard)
            raise
        call.settle(result)
        return result

    return _generate


def _guard_agenerate(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(original)
    async def _agenerate(self: BaseChatModel, messages: Any, *args: Any, **kwargs: Any) -> Any:
        call = model_call(self, messages, kwargs)
        await call.reserve_async()
        heard = Heard()
        try:
            with call.entered(), hearing(heard):
                result = await original(self, messages, *args, **kwargs)
        except BaseException as error:
            call.fail(error, heard=heard)
            await call.ended(error)
            raise
        call.settle(result)
        await call.ended()
        return result

    return _agenerate


def _guard_stream(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @functools.wraps(original)
    def _stream(self: BaseChatModel, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        call = model_call(self, messages, kwargs)
        call.reserve()
        seen, heard = MessageUsage(), Heard()
        chunks: Any = None
        try:
            with call.entered(), hearing(heard):
                chunks = iter(original(self, messages, *args, **kwargs))
            while True:
                with call.entered(), hearing(heard):
                    chunk = next(chunks, _END)
                if chunk is _END:
                    break
                seen.add(chunk)
                yield chunk
        except BaseException as error:
            call.fail(error, seen, heard=heard)
            raise
        finally:
            # A consumer that stops early must not leave the provider's connection to the collector.
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        call.finish(seen, heard)

    return _stream


def _guard_astream(original: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    @functools.wraps(original)
    async def _astream(self: BaseChatModel, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call = model_call(self, messages, kwargs)
        await call.reserve_async()
        seen, heard = MessageUsage(), Heard()
        chunks: Any = None
        try:
            with call.entered(), hearing(heard):
                chunks = aiter(original(self, messages, *args, **kwargs))
            while True:
                with call.entered(), hearing(heard):
                    chunk = await anext(chunks, _END)
                if chunk is _END:
                    break
                seen.add(chunk)
                yield chunk
        except BaseException as error:
            call.fail(error, seen, heard=heard)
            await call.ended(error)
            raise
        finally:
            aclose = getattr(chunks, "aclose", None)
            if aclose is not None:
                await aclose()
        call.finish(seen, heard)
        await call.ended()

    return _astream
