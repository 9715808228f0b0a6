"""The guarded class of a client: the same class, with a budget asked before each call of a model.

Every way of calling goes through the client's `request`, above its retries. Every copy of a client goes
through `copy` or `with_options`, and must not lose the budget.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

import openai

from outlay import PolicyError
from outlay._wraps import Layer, ModelCall, ProcessLock, pass_by
from outlay.openai._errors import as_openai_error
from outlay.openai._events import Body, Events, Reader
from outlay.openai._request import Request, billed_beside, read_request
from outlay.openai._sending import Sending, sending, sending_async
from outlay.openai._tap import Tap

LAYERS = "_outlay_layers"
GUARDED = "chat.completions, completions, responses, embeddings and decisions"
# The client's method that sends one request.
_SEND = "_send_request"
_SOCKETS = "websocket_base_url"
_copying: ContextVar[bool] = ContextVar("outlay_openai_copying", default=False)
# Weak, so that a client class made inside a function is not kept for ever.
_guarded: WeakValueDictionary[type[Any], type[Any]] = WeakValueDictionary()
_making = ProcessLock()


def guarded_class(cls: type[Any]) -> type[Any]:
    """Return the guarded class of a client's class, always the same while it is in use."""
    with _making:
        known = _guarded.get(cls)
        if known is None:
            known = _guarded[cls] = _make(cls)
        return known


def _make(cls: type[Any]) -> type[Any]:
    is_async = issubclass(cls, openai.AsyncOpenAI)
    guard, see = (_guard_async, sending_async) if is_async else (_guard_sync, sending)
    own = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        LAYERS: (),
        "request": guard(cls.request),
        "copy": _guard_copy(cls.copy),
        "with_options": _guard_copy(cls.with_options),
        "websocket_base_url": property(_sockets_address, _set_sockets_address),
    }
    send = getattr(cls, _SEND, None)
    if send is not None:
        own[_SEND] = see(send)
    return type(cls.__name__, (cls,), own)


def _guard_sync(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def request(self: Any, cast_to: Any, options: Any, *, stream: bool = False, **keywords: Any) -> Any:
        asked = read_request(self, options, stream=stream)
        if asked is None:
            _pass_by(self, options)
            return original(self, cast_to, options, stream=stream, **keywords)
        seen = _sending(self, asked)
        seen.call.reserve()
        try:
            with seen.call.entered(), seen:
                result = original(self, cast_to, asked.options, stream=stream, **keywords)
        except BaseException as error:
            seen.fail(asked, error)
            raise
        _settle(seen.call, asked, result, stream=stream)
        seen.tell()
        return result

    return request


def _guard_async(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def request(self: Any, cast_to: Any, options: Any, *, stream: bool = False, **keywords: Any) -> Any:
        asked = read_request(self, options, stream=stream)
        if asked is None:
            _pass_by(self, options)
            return await original(self, cast_to, options, stream=stream, **keywords)
        seen = _sending(self, asked)
        await seen.call.reserve_async()
        try:
            with seen.call.entered(), seen:
                result = await original(self, cast_to, asked.options, stream=stream, **keywords)
        except BaseException as error:
            seen.fail(asked, error)
            await seen.call.ended(error)
            raise
        _settle(seen.call, asked, result, stream=stream)
        seen.tell()
        await seen.call.ended()
        return result

    return request


def _guard_copy(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def copy(self: Any, **options: Any) -> Any:
        token = _copying.set(True)
        try:
            copied = original(self, **options)
        finally:
            _copying.reset(token)
        copied.__dict__[LAYERS] = getattr(self, LAYERS)
        return copied

    return copy


def _pass_by(client: Any, options: Any) -> None:
    beside = billed_beside(client, options)
    if beside is not None:
        pass_by(getattr(client, LAYERS), "outlay.openai", beside, GUARDED)


def _sockets_address(client: Any) -> Any:
    """Return the address of the sockets: it is asked for where one is opened, and by a copy."""
    if not _copying.get():
        pass_by(getattr(client, LAYERS), "outlay.openai", "realtime", GUARDED)
    return client.__dict__.get(_SOCKETS)


def _set_sockets_address(client: Any, address: Any) -> None:
    client.__dict__[_SOCKETS] = address


def _sending(client: Any, asked: Request) -> Sending:
    layers: tuple[Layer, ...] = getattr(client, LAYERS)
    if not layers:
        # Built from the class of a wrapped client: unguarded where a guard was meant.
        raise PolicyError("this client has no budget: it was made from a wrapped client's class; wrap it")
    sees = hasattr(type(client), _SEND)
    return Sending(lambda: ModelCall(layers, asked.prompt, as_openai_error), sees=sees)


def _settle(call: ModelCall, asked: Request, result: Any, *, stream: bool) -> None:
    response = _http_response(result)
    if response is None:
        call.settle(result)
        return
    reader: Reader = (
        Events(hide=asked.hide, ahead=asked.prompt.parsed)
        if asked.streamed and not _is_json(response)
        else Body()
    )
    if stream or not response.is_closed:
        Tap(call, reader).attach(response)
        return
    # A raw response that is read: the caller parses it later, or never.
    reader.feed(response.content)
    reader.end()
    if reader.refused:
        call.refused()
    else:
        call.commit(reader.seen.fields())


def _is_json(response: Any) -> bool:
    """Whether the answer is one JSON body: an error, where a stream was asked for."""
    return bool(response.headers.get("content-type", "").lower().startswith("application/json"))


def _http_response(result: Any) -> Any:
    """Return the HTTP response of a stream or of a raw response; None for an answer that is parsed."""
    if isinstance(result, openai.BaseModel):
        return None
    for name in ("http_response", "response"):
        inner = getattr(result, name, None)
        if hasattr(inner, "aiter_bytes"):
            return inner
    return result if hasattr(result, "aiter_raw") else None
