"""The reading of the client's requests: the calls of models, their prompts, and their streams' usage."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import openai

from outlay._wraps import (
    OPENAI_CALLS,
    Prompt,
    billed,
    may_cost,
    openai_path,
    provider_at,
    read_body,
    read_completion,
)

_CHAT = ("/completions",)
_EMBEDDINGS = ("/embeddings",)


@dataclass
class Request:
    """One call of a model: what it asks for, and the options under which it is sent.

    Args:
        prompt: The estimate.
        options: The client's options, changed where a stream must tell its usage.
        streamed: The answer is a stream of events.
        hide: The chunk that tells the usage was not asked for, so that it is kept from the caller.
        answered: The answers before the client parsed them; a parser may refuse what is paid for.

    """

    prompt: Prompt
    options: Any
    streamed: bool
    hide: bool
    answered: list[Any] = field(default_factory=list)


def read_request(client: Any, options: Any, *, stream: bool) -> Request | None:
    """Read the options of a request; None if it is no call of a model.

    Args:
        client: The client.
        options: Its `FinalRequestOptions`.
        stream: The client will make a stream of the answer.

    """
    path = _path(client, options)
    if not may_cost(options.method) or not path.endswith(OPENAI_CALLS):
        return None
    body = _body(options)
    request = Request(
        prompt=_read_prompt(client, path, body),
        options=copy.copy(options),
        streamed=bool(body.get("stream")),
        hide=False,
    )
    if stream and path.endswith(_CHAT):
        _force_usage(request, body)
    if callable(options.post_parser):
        request.options.post_parser = _kept(request, options.post_parser)
    return request


def billed_beside(client: Any, options: Any) -> str | None:
    """Return what a request that is no call of a model asks for, where that is billed, by its name."""
    return billed(options.method, _path(client, options))


def _path(client: Any, options: Any) -> str:
    return openai_path(options.url, client.base_url.path)


def _body(options: Any) -> Mapping[str, Any]:
    given = options.json_data
    if given is None and isinstance(options.content, bytes | bytearray):
        try:
            given = json.loads(options.content)
        except (ValueError, RecursionError):
            given = None
    body = given if isinstance(given, Mapping) else {}
    # `extra_body` replaces what the method was given.
    return {**body, **(options.extra_json or {})}


def _read_prompt(client: Any, path: str, body: Mapping[str, Any]) -> Prompt:
    azure = isinstance(client, openai.AzureOpenAI | openai.AsyncAzureOpenAI)
    provider = "azure" if azure else provider_at(client.base_url, "openai")
    if path.endswith(_EMBEDDINGS):
        return replace(read_body(body, provider=provider), output_limit=0, choices=1)
    if "prompt" in body and "messages" not in body and "input" not in body:
        # The older completions; `prompt` of the responses is a reference to a stored one.
        return read_completion(body, provider=provider)
    return read_body(body, provider=provider)


def _force_usage(request: Request, body: Mapping[str, Any]) -> None:
    given = body.get("stream_options")
    asked = given if isinstance(given, Mapping) else {}
    if asked.get("include_usage") is True:
        return
    forced = {"stream_options": {**asked, "include_usage": True}}
    options = request.options
    if options.json_data is None or "stream_options" in (options.extra_json or {}):
        options.extra_json = {**(options.extra_json or {}), **forced}
    elif isinstance(options.json_data, Mapping):
        options.json_data = {**options.json_data, **forced}
    else:
        return
    request.hide = True


def _kept(request: Request, parser: Any) -> Any:
    def parse(answer: Any) -> Any:
        request.answered.append(answer)
        return parser(answer)

    return parse
