"""The functions of LiteLLM and methods of its Router that call a text model, and others that are billed."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import litellm

from outlay._wraps import Layer, pass_by

# What begins with an "a" is async, `anthropic_messages` too. A release of LiteLLM has most of them.
GUARDED = (
    "completion",
    "acompletion",
    "text_completion",
    "atext_completion",
    "embedding",
    "aembedding",
    "responses",
    "aresponses",
    "acompact_responses",
    "anthropic_messages",
    "aanthropic_messages",
    "generate_content",
    "agenerate_content",
    "generate_content_stream",
    "agenerate_content_stream",
    "create_interaction",
    "acreate_interaction",
    "decisions",
    "adecisions",
    "aadapter_completion",
    "aadapter_generate_content",
)
# A Router names the model first where the function of the module does not.
_ROUTERS_ORDER = {"text_completion": ("model", "prompt"), "atext_completion": ("model", "prompt")}
# Files, lists, statuses and moderations are free; batches of chats ask `acompletion`, one by one.
_BILLED = re.compile(
    r"_?a?(?:image_\w+|speech|transcription|video_(?:generation|edit|extension|remix|create_character)"
    r"|create_(?:batch|fine_tuning_job|container|agent)|run_thread|realtime\w*|create_realtime\w*"
    r"|responses_websocket|rerank|ocr|search|vector_store_(?:create|search|file_create)|llm_passthrough_route"
    r"|extraction|systemone)$"
)
_WORDS = "completion, text_completion, embedding, responses, anthropic_messages and generate_content"


def positional(name: str, function: Callable[..., Any], *, is_router: bool = False) -> list[str]:
    """Return the arguments of a function that may be given without their names.

    Args:
        name: Its name, one of `GUARDED`.
        function: LiteLLM's, or a Router's.
        is_router: It is a Router's; default False.

    """
    if is_router and name in _ROUTERS_ORDER:
        return list(_ROUTERS_ORDER[name])
    own = (getattr(litellm, one, None) for one in (name, name.removeprefix("a")))
    for one in filter(None, (function, *own)):
        parameters = inspect.signature(one).parameters.values()
        names = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        # LiteLLM's `aembedding` hands all that it is given on to `embedding`.
        if names:
            return names
    return []


def guarded_of(target: Any) -> list[str]:
    """Return the names of `GUARDED` that the module or the Router has."""
    return [name for name in GUARDED if callable(getattr(target, name, None))]


def tell_unguarded(router: Any, layer: Layer) -> None:
    """Make the billed, unguarded methods of a Router warn or refuse, as the wrap's `unguarded` says."""
    for name in dir(router):
        if _BILLED.match(name):
            setattr(router, name, _telling(getattr(router, name), name, layer))


def _telling(method: Callable[..., Any], name: str, layer: Layer) -> Callable[..., Any]:
    def tell() -> None:
        pass_by((layer,), "outlay.litellm", f"Router.{name}", _WORDS)

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def passed_async(*args: Any, **kwargs: Any) -> Any:
            tell()
            return await method(*args, **kwargs)

        return passed_async

    @functools.wraps(method)
    def passed(*args: Any, **kwargs: Any) -> Any:
        tell()
        return method(*args, **kwargs)

    return passed
