"""The guarded model: an `agents.Model` that asks its budgets before each request of the model inside."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import AsyncIterator, Sequence
from typing import Any

from agents.items import ModelResponse, TResponseStreamEvent
from agents.models.interface import Model
from agents.retry import ModelRetryAdvice, ModelRetryAdviceRequest, ModelRetryNormalizedError

from outlay import LimitExceeded
from outlay._wraps import Layer, ModelCall, StreamUsage, give_out, move_usages
from outlay.openai_agents._errors import as_agents_error
from outlay.openai_agents._estimate import model_name, read_prompt

_END: Any = object()
# Of OpenAIChatCompletionsModel, and of others that ask for a stream by it.
_FETCH = "_fetch_response"
_PROMPT = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs")


def guard(model: Model, layers: Sequence[Layer]) -> GuardedAgentsModel:
    """Return the model guarded; one that is guarded already keeps its layers inside the new ones."""
    if isinstance(model, GuardedAgentsModel):
        return GuardedAgentsModel(model.wrapped, (*layers, *model.layers))
    for layer in layers:
        layer.check_price(model_name(model))
    return GuardedAgentsModel(model, layers)


class GuardedAgentsModel(Model):
    """A model whose every request is one lease in each of its budgets; all else is the model inside."""

    def __init__(self, wrapped: Model, layers: Sequence[Layer]) -> None:
        self.wrapped = wrapped
        self.layers = tuple(layers)

    def __getattr__(self, name: str) -> Any:
        if name in ("wrapped", "layers"):  # a copy that is still empty
            raise AttributeError(name)
        inner = getattr(self.wrapped, name)
        if name != "_client":
            return inner
        # What is asked by the SDK's client passes the model by.
        return give_out(inner, self.layers, "outlay.openai_agents", name, "get_response and stream_response")

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Reserve, ask the model, book what it used."""
        call = self._call(args, kwargs)
        await call.reserve_async()
        args, kwargs, asked = _keeping_usage(args, kwargs)
        try:
            with call.entered():
                response = await self.wrapped.get_response(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            await call.ended(error)
            raise
        call.settle(response)
        if asked:
            response.raw_usage = None
        await call.ended()
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Reserve, ask the model, book what the last event says it used."""
        call = self._call(args, kwargs)
        await call.reserve_async()
        args, kwargs, _ = _keeping_usage(args, kwargs)
        seen = StreamUsage()
        events: Any = None
        try:
            with call.entered():
                events = aiter(_moving(self.wrapped).stream_response(*args, **kwargs))
            while True:
                with call.entered():
                    event = await anext(events, _END)
                if event is _END:
                    break
                seen.add(event)
                yield event
        except BaseException as error:
            call.fail(error, seen)
            await call.ended(error)
            raise
        finally:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                await aclose()
        call.finish(seen)
        await call.ended()

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Advise as the model inside does, and against any retry of a refusal."""
        if isinstance(request.error, LimitExceeded):
            # An abort is the one thing that no retry policy overrules.
            return ModelRetryAdvice(
                suggested=False,
                reason=request.error.message,
                normalized=ModelRetryNormalizedError(is_abort=True),
            )
        return self.wrapped.get_retry_advice(request)

    async def close(self) -> None:
        """Close the model inside."""
        await self.wrapped.close()

    async def _cleanup_on_run_end(self, owner: object) -> None:
        await self.wrapped._cleanup_on_run_end(owner)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelCall:
        # The runner names its arguments; a caller of its own may give them in their order.
        given = {**dict(zip(_PROMPT, args, strict=False)), **kwargs}
        prompt = read_prompt(self.wrapped, *(given[name] for name in _PROMPT))
        return ModelCall(self.layers, prompt, as_agents_error)


def _moving(model: Model) -> Model:
    """Return a model of chat completions that reads the usage of a stream wherever the provider puts it."""
    fetch = getattr(model, _FETCH, None)
    if fetch is None:
        return model

    async def fetched(*args: Any, **kwargs: Any) -> Any:
        answer = await fetch(*args, **kwargs)
        if isinstance(answer, tuple):
            move_usages(answer[-1])
        return answer

    moving = copy.copy(model)
    setattr(moving, _FETCH, fetched)
    return moving


def _keeping_usage(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """Ask the SDK to keep the provider's own usage: its own has OpenAI's counts and no others.

    Args:
        args: The arguments of a request, in their order.
        kwargs: Those that are given by name.

    Returns:
        The arguments, and whether it was not asked before.

    """
    place = _PROMPT.index("model_settings")
    named = "model_settings" in kwargs
    settings: Any = kwargs["model_settings"] if named else args[place]
    # An older SDK has no such setting.
    if getattr(settings, "preserve_raw_usage", False) is not None:
        return args, kwargs, False
    keeping = dataclasses.replace(settings, preserve_raw_usage=True)
    if named:
        return args, {**kwargs, "model_settings": keeping}, True
    return (*args[:place], keeping, *args[place + 1 :]), kwargs, True
