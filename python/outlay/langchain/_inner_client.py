"""The client of OpenAI's SDK inside a guarded model: calls on it bypass the budgets, so it reports them."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import openai

from outlay._wraps import OPENAI_CALLS, Layer, billed, inside_call, may_cost, openai_path, pass_by
from outlay.langchain._heard import Heard, current

_TELLS = "_outlay_tells"
_Tell = Callable[[Any, Any], None]


def telling(client: Any, layers: Sequence[Layer], host: str, name: str, guarded: str) -> Any:
    """Return a copy of an OpenAI client that reports each call that costs money.

    Args:
        client: The client; its copies share its connections.
        layers: The wraps of the model.
        host: The integration, for the words.
        name: What the client is called on the model.
        guarded: What the integration guards.

    """

    def tell(asked: Any, options: Any) -> None:
        if not inside_call() and _asks_money(asked, options):
            pass_by(layers, host, name, guarded)

    kind: Any = type(client)
    copied_client = copy.copy(client)
    for cached in list(copied_client.__dict__):
        if isinstance(inspect.getattr_static(kind, cached, None), functools.cached_property):
            del copied_client.__dict__[cached]
    copied_client.__class__ = _telling_class(kind)
    copied_client.__dict__[_TELLS] = tell
    return copied_client


@functools.cache
def _telling_class(cls: Any) -> Any:
    if _TELLS in cls.__dict__:
        return cls

    def request(self: Any, cast_to: Any, options: Any, **keywords: Any) -> Any:
        # Of an async client too: its coroutine is made by the call, and awaited by who called.
        getattr(self, _TELLS)(self, options)
        made = cls.request(self, cast_to, options, **keywords)
        heard = current.get()
        if heard is None:
            return made
        if inspect.isawaitable(made):
            return _awaited(made, heard, options)
        heard.answered(made, options)
        return made

    def copied(self: Any, **options: Any) -> Any:
        made = cls.copy(self, **options)
        made.__dict__[_TELLS] = getattr(self, _TELLS)
        return made

    own = {"__module__": cls.__module__, "__doc__": cls.__doc__, "request": request, _TELLS: _silent}
    return type(cls.__name__, (cls,), {**own, "copy": copied, "with_options": copied})


async def _awaited(made: Any, heard: Heard, options: Any) -> Any:
    answer = await made
    heard.answered(answer, options)
    return answer


def _silent(asked: Any, options: Any) -> None:
    """Report nothing: for a client that was made from the class of another one."""


def _asks_money(client: Any, options: Any) -> bool:
    """Return whether a request asks a model, or for something else that is billed."""
    path = openai_path(options.url, client.base_url.path)
    return may_cost(options.method) and (
        path.endswith(OPENAI_CALLS) or billed(options.method, path) is not None
    )


def is_bare(client: Any) -> bool:
    """Return whether an object is a client of OpenAI's SDK that no wrap has been given."""
    return isinstance(client, openai.OpenAI | openai.AsyncOpenAI) and not getattr(
        client, "_outlay_layers", ()
    )
