"""The guarded model: a `WrapperModel` that asks its budgets before each request of the model inside."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestContext, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from outlay._wraps import Fields, Layer, ModelCall, Parts, give_out, known_fields, move_usages, pass_by
from outlay.pydantic_ai._errors import as_pydantic_error
from outlay.pydantic_ai._estimate import read_prompt

try:
    from pydantic_ai._run_context import get_current_run_context
except ImportError:  # an internal of the host: without it a request outside a stream knows no agent

    def get_current_run_context() -> RunContext[Any] | None:
        """Return None: the host does not say."""
        return None


_GUARDED = "the model's request, request_stream and compact_messages"


def guard(model: Model, layers: Sequence[Layer]) -> Model:
    """Return the model guarded; one that is guarded already keeps its layers inside the new ones.

    A `FallbackModel` is guarded inside: each model that it tries is a call of its own.
    """
    if isinstance(model, _Guarded):
        return type(model)(model.wrapped, (*layers, *model.layers))
    if isinstance(model, FallbackModel):
        return GuardedFallback(model, layers)
    for layer in layers:
        layer.check_price(model.model_name)
    return GuardedModel(model, layers)


class _Guarded(WrapperModel):
    """A wrapped model and its layers, the outermost first."""

    def __init__(self, wrapped: Model, layers: Sequence[Layer]) -> None:
        super().__init__(wrapped)
        self.layers = tuple(layers)

    async def batch_create(self, requests: Sequence[Any]) -> Any:
        """Send a batch as the wraps' `unguarded` says: its cost is known hours later, and is not booked."""
        pass_by(self.layers, "outlay.pydantic_ai", "batch_create", _GUARDED)
        return await self.wrapped.batch_create(requests)

    def __getattr__(self, name: str) -> Any:
        inner = super().__getattr__(name)
        return (
            give_out(inner, self.layers, "outlay.pydantic_ai", name, _GUARDED) if name == "client" else inner
        )


class GuardedModel(_Guarded):
    """A model whose every request is one lease in each of its budgets."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Reserve, ask the model, book what it used."""
        call = self._call(messages, model_settings, model_request_parameters, get_current_run_context())
        await call.reserve_async()
        try:
            with call.entered():
                response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        except BaseException as error:
            call.fail(error)
            await call.ended(error)
            raise
        _settle(call, response)
        await call.ended()
        return response

    async def compact_messages(
        self, request_context: ModelRequestContext, *, instructions: str | None = None
    ) -> ModelResponse:
        """Reserve, let the provider compact the messages, book what it used."""
        call = self._call(
            request_context.messages,
            request_context.model_settings,
            request_context.model_request_parameters,
            get_current_run_context(),
        )
        await call.reserve_async()
        try:
            with call.entered():
                response = await self.wrapped.compact_messages(request_context, instructions=instructions)
        except BaseException as error:
            call.fail(error)
            await call.ended(error)
            raise
        _settle(call, response)
        await call.ended()
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Reserve, open the stream, book what it used when it is left."""
        context = run_context or get_current_run_context()
        call = self._call(messages, model_settings, model_request_parameters, context)
        await call.reserve_async()
        seen = _SeenStream()
        try:
            async with AsyncExitStack() as stack:
                opening = self.wrapped.request_stream(
                    messages, model_settings, model_request_parameters, run_context
                )
                # The request is sent as the stream is opened; what follows only reads.
                with call.entered():
                    stream = await stack.enter_async_context(opening)
                    seen.watch(stream)
                yield stream
            response = stream.get()
        except BaseException as error:
            call.fail(error, seen)
            await call.ended(error)
            raise
        _settle(call, response, seen)
        await call.ended()

    def _call(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        context: RunContext[Any] | None,
    ) -> ModelCall:
        agent = getattr(getattr(context, "agent", None), "name", None)
        prompt = read_prompt(self.wrapped, messages, settings, parameters, agent)
        return ModelCall(self.layers, prompt, as_pydantic_error)


class GuardedFallback(_Guarded):
    """A `FallbackModel` of guarded models: a try that fails ends its lease, and the next one asks again."""

    def __init__(self, wrapped: FallbackModel, layers: Sequence[Layer]) -> None:
        super().__init__(wrapped, layers)
        # Only asked, never entered: the models are opened and closed by the one that is wrapped.
        self._chain = copy.copy(wrapped)
        self._chain.models = [guard(model, layers) for model in wrapped.models]

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask the models in turn, each under the budgets."""
        return await self._chain.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Open a stream of the first model that gives one, each under the budgets."""
        async with self._chain.request_stream(
            messages, model_settings, model_request_parameters, run_context
        ) as stream:
            yield stream


class _SeenStream:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self.started = False
        # The host tells a failure by what it raises.
        self.refused = False
        self.stream: StreamedResponse | None = None
        self._parts = Parts(lambda usage: dict(usage) or None)

    def watch(self, stream: StreamedResponse) -> None:
        """See what the chunks of an opened stream tell: the host adds up the totals so far, too.

        It does not where its setting `openai_continuous_usage_stats` is on.
        """
        self.stream, self.started = stream, True
        move_usages(getattr(stream, "_response", None))
        add = getattr(stream, "_add_usage", None)  # an internal of the host: without it, its sum is taken
        if add is None:
            return

        def note(usage: RequestUsage, **how: Any) -> None:
            if how.get("reported") and not how.get("cumulative"):
                self._parts.add(known_fields(usage) or {})
            add(usage, **how)

        stream._add_usage = note  # type: ignore[method-assign]

    def fields(self, response: Any = None) -> Fields | None:
        """Return the usage that the stream has reported; `response`: its content so far."""
        return self._parts.fields() if self._parts.totals else known_fields(response or self.stream)


def _settle(call: ModelCall, response: ModelResponse, seen: _SeenStream | None = None) -> None:
    """Book the usage of a response, or the estimate where it has none."""
    fields = known_fields(response) if seen is None else seen.fields(response)
    if fields is None and response.state == "suspended":
        # The provider works on and will be asked again: that request carries the usage of the whole.
        call.unbilled()
    else:
        call.commit(fields, cut=seen is not None and response.state != "complete")
