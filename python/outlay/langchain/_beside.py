"""Calls that bypass a guarded model: on its bare alternatives and fallbacks, and on the client inside it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.runnables import Runnable, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from outlay._wraps import Layer, pass_by
from outlay.langchain._call import LAYERS

_GUARDED = "the models that are given to wrap; wrap the other model too"


def tell_beside(guarded: type[Any], cls: type[Any]) -> None:
    """Make a guarded class report bare models that are added as alternatives or fallbacks.

    Args:
        guarded: The guarded class.
        cls: The class of the model.

    """
    guarded.configurable_alternatives = _alternatives(cls.configurable_alternatives)
    guarded.with_fallbacks = _fallbacks(cls.with_fallbacks)


def _alternatives(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def configurable_alternatives(self: Any, which: Any, **given: Any) -> Any:
        layers = getattr(self, LAYERS)
        settings = {name: given.pop(name) for name in ("default_key", "prefix_keys") if name in given}
        others = {name: _checked(one, layers, "configurable_alternatives") for name, one in given.items()}
        return original(self, which, **settings, **others)

    return configurable_alternatives


def _fallbacks(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def with_fallbacks(self: Any, fallbacks: Sequence[Any], **settings: Any) -> Any:
        layers = getattr(self, LAYERS)
        return original(self, [_checked(one, layers, "with_fallbacks") for one in fallbacks], **settings)

    return with_fallbacks


def _checked(other: Any, layers: Sequence[Layer], method: str) -> Any:
    """Return the other runnable, and report a bare model in it."""
    if not isinstance(other, Runnable) and callable(other):
        # It is made when it is chosen.
        return functools.wraps(other)(lambda: _checked(other(), layers, method))
    if any(not getattr(model, LAYERS, ()) for model in _models(other)):
        pass_by(layers, "outlay.langchain", f"a bare model in {method}", _GUARDED)
    return other


def tell_inside(model: Any, layers: Sequence[Layer]) -> None:
    """Make the clients of OpenAI's SDK inside a guarded model report calls that bypass the model.

    Args:
        model: The guarded model, whose attributes are replaced.
        layers: Its wraps.

    """
    openai = sys.modules.get("openai")
    for root, inner in (("root_client", "client"), ("root_async_client", "async_client")):
        client = model.__dict__.get(root)
        if openai is None or not isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
            continue
        from outlay.langchain._inner_client import is_bare, telling

        if not is_bare(client):
            continue
        speaking = telling(client, layers, "outlay.langchain", f"model.{root}", "the calls of the model")
        resource = model.__dict__.get(inner)
        if getattr(resource, "_client", None) is client:
            model.__dict__[inner] = type(resource)(speaking)
        model.__dict__[root] = speaking


def _models(runnable: Any) -> Iterator[Any]:
    if isinstance(runnable, BaseLanguageModel):
        yield runnable
    elif isinstance(runnable, RunnableBindingBase):
        yield from _models(runnable.bound)
    elif isinstance(runnable, RunnableWithFallbacks):
        for one in runnable.runnables:
            yield from _models(one)
    elif isinstance(runnable, RunnableSequence):
        for one in runnable.steps:
            yield from _models(one)
