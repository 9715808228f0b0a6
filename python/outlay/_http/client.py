"""Transports and guarded clients of httpx and httpx2, made from either module by the same code."""

from __future__ import annotations

import copy
import functools
from types import ModuleType
from typing import Any

from outlay._errors import PolicyError
from outlay._http.answers import Answers, decoder
from outlay._http.errors import as_sdk_error, speaking
from outlay._http.request import may_ask, read_request, serves_models
from outlay._wraps.endpoints import billed, plain_path
from outlay._wraps.layer import Layer
from outlay._wraps.model_call import ModelCall
from outlay._wraps.providers import provider_of
from outlay._wraps.unguarded import pass_by

_GUARDED = "requests with a prompt in their JSON: chat, messages, responses, completions, embeddings"


class Gate:
    """The check before each request of a client: the budgets of one wrap.

    Args:
        hx: The module, `httpx` or `httpx2`.
        layer: What the wrap was given.
        provider: The label of the provider; None reads it from the host.

    """

    def __init__(self, hx: ModuleType, layer: Layer, provider: str | None) -> None:
        if provider is not None and not isinstance(provider, str):
            raise PolicyError(f"provider: a str is allowed, not {type(provider).__name__}")
        self._layer = layer
        layer.check_price(None)
        self._provider = provider
        self._hx = hx
        self._answers = Answers(hx)

    def send(self, request: Any, forward: Any) -> Any:
        """Send a request by `forward` if the budgets have room for it.

        Raises:
            LimitExceeded: There is no room; the provider was not asked.

        """
        call = None
        if self._may_ask(request):
            request.read()
            with speaking():
                call = self._call(request)
                if call is not None:
                    call.reserve()
        if call is None:
            self._pass_by(request)
            return forward(request)
        try:
            with call.entered():
                response = forward(request)
        except BaseException as error:
            call.fail(error, requests=1)
            raise
        self._answers.answered(response, call)
        return response

    async def send_async(self, request: Any, forward: Any) -> Any:
        """Do as `send` does; where it waits, the event loop goes on."""
        if not self._may_ask(request):
            self._pass_by(request)
            return await forward(request)
        await request.aread()
        with speaking():
            call = self._call(request)
            if call is not None:
                await call.reserve_async()
        if call is None:
            self._pass_by(request)
            return await forward(request)
        try:
            with call.entered():
                response = await forward(request)
        except BaseException as error:
            call.fail(error, requests=1)
            await call.ended(error)
            raise
        self._answers.answered(response, call)
        await call.ended()
        return response

    def _may_ask(self, request: Any) -> bool:
        at_hand = isinstance(request.stream, self._hx.ByteStream)
        kind = request.headers.get("content-type", "")
        return may_ask(request.method, plain_path(request.url.path), kind, at_hand=at_hand)

    def _pass_by(self, request: Any) -> None:
        known = self._provider is not None or serves_models(request.url.host)
        beside = billed(request.method, plain_path(request.url.path), known=known)
        if beside is not None:
            with speaking():
                pass_by((self._layer,), f"outlay.{self._hx.__name__}", beside, _GUARDED)

    def _call(self, request: Any) -> ModelCall | None:
        provider = self._provider or provider_of(request.url.host)
        decode = decoder(self._hx, request.headers)
        content = request.content if decode is None else decode(request.content)
        prompt = read_request(plain_path(request.url.path), content, provider=provider)
        return None if prompt is None else ModelCall((self._layer,), prompt, as_sdk_error)


def make_transport(hx: ModuleType, layer: Layer, inner: Any, provider: str | None) -> Any:
    """Return a transport for a `Client`; see `outlay.httpx.transport`."""
    return _transport_classes(hx)[0](_checked(inner, hx.BaseTransport, hx.HTTPTransport), hx, layer, provider)


def make_async_transport(hx: ModuleType, layer: Layer, inner: Any, provider: str | None) -> Any:
    """Return a transport for an `AsyncClient`; see `outlay.httpx.async_transport`."""
    checked = _checked(inner, hx.AsyncBaseTransport, hx.AsyncHTTPTransport)
    return _transport_classes(hx)[1](checked, hx, layer, provider)


def wrap_client(hx: ModuleType, client: Any, layer: Layer, provider: str | None) -> Any:
    """Return a guarded copy of a `Client` or an `AsyncClient`; see `outlay.httpx.wrap`."""
    kind: Any = type(client)
    if isinstance(client, hx.Client):
        guarded = _guarded_class(kind)
    elif isinstance(client, hx.AsyncClient):
        guarded = _guarded_async_class(kind)
    else:
        name = hx.__name__
        raise PolicyError(
            f"client: {name}.Client or {name}.AsyncClient is allowed, not "
            f"{kind.__module__}.{kind.__qualname__}"
        )
    made = copy.copy(client)
    made.__class__ = guarded
    gate = Gate(hx, layer, provider)
    # The original must live as long: some of its kind close their connections as they are collected.
    made.__dict__.update(_outlay_original=client, _outlay_gates=(gate, *getattr(client, "_outlay_gates", ())))
    return made


def _checked(inner: Any, kind: type[Any], default: Any) -> Any:
    if inner is None:
        return default()
    if not isinstance(inner, kind):
        raise PolicyError(
            f"inner: a {kind.__module__.partition('.')[0]}.{kind.__name__} is allowed, not "
            f"{type(inner).__module__}.{type(inner).__qualname__}"
        )
    return inner


@functools.cache
def _transport_classes(hx: ModuleType) -> tuple[type[Any], type[Any]]:
    class BudgetTransport(hx.BaseTransport):  # type: ignore[name-defined,misc]
        def __init__(self, inner: Any, hx: ModuleType, layer: Layer, provider: str | None) -> None:
            self._inner = inner
            self._gate = Gate(hx, layer, provider)

        def handle_request(self, request: Any) -> Any:
            return self._gate.send(request, self._inner.handle_request)

        def close(self) -> None:
            self._inner.close()

    class AsyncBudgetTransport(hx.AsyncBaseTransport):  # type: ignore[name-defined,misc]
        def __init__(self, inner: Any, hx: ModuleType, layer: Layer, provider: str | None) -> None:
            self._inner = inner
            self._gate = Gate(hx, layer, provider)

        async def handle_async_request(self, request: Any) -> Any:
            return await self._gate.send_async(request, self._inner.handle_async_request)

        async def aclose(self) -> None:
            await self._inner.aclose()

    return BudgetTransport, AsyncBudgetTransport


def _namespace(cls: type[Any], send: Any) -> dict[str, Any]:
    namespace = {"__module__": cls.__module__, "__doc__": cls.__doc__, "send": send}
    if hasattr(cls, "__del__"):
        # The connections are the original's, which closes them itself.
        namespace["__del__"] = lambda _self: None
    return namespace


@functools.cache
def _guarded_class(cls: Any) -> Any:
    if "_outlay_guarded" in cls.__dict__:
        return cls

    def send(self: Any, request: Any, *, stream: bool = False, **keywords: Any) -> Any:
        def forward(request: Any) -> Any:
            return cls.send(self, request, stream=True, **keywords)

        for gate in reversed(self._outlay_gates):
            forward = functools.partial(gate.send, forward=forward)
        response = forward(request)
        if not stream:
            try:
                response.read()
            except BaseException:
                response.close()
                raise
        return response

    return type(cls.__name__, (cls,), {**_namespace(cls, send), "_outlay_guarded": True})


@functools.cache
def _guarded_async_class(cls: Any) -> Any:
    if "_outlay_guarded" in cls.__dict__:
        return cls

    async def send(self: Any, request: Any, *, stream: bool = False, **keywords: Any) -> Any:
        async def forward(request: Any) -> Any:
            return await cls.send(self, request, stream=True, **keywords)

        for gate in reversed(self._outlay_gates):
            forward = functools.partial(gate.send_async, forward=forward)
        response = await forward(request)
        if not stream:
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        return response

    return type(cls.__name__, (cls,), {**_namespace(cls, send), "_outlay_guarded": True})
