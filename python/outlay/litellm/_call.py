"""One call of a wrapped function: it reads the prompt from the arguments, and the usage from the response."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import litellm

from outlay._http import BodyReader
from outlay._wraps import (
    REQUEST_NAMES,
    SCHEMAS,
    Fields,
    Layer,
    ModelCall,
    Prompt,
    StreamUsage,
    provider_at,
    read_body,
    read_completion,
)
from outlay.litellm._errors import as_litellm_error

_BODY = (
    "messages",
    "input",
    "prompt",
    "contents",
    "system",
    "instructions",
    "systemInstruction",
    "generationConfig",
    "n",
    "best_of",
    *REQUEST_NAMES,
    *SCHEMAS,
)
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# What LiteLLM keeps of an answer: the cost that the provider said, where it has written its own there.
_UPSTREAM_COST = "upstream_usage_cost"


class LiteCall(ModelCall):
    """A call that may be answered by another model than the one it asked for."""

    def heard(self, said: Any) -> None:
        """Pass the provider's headers in an answer, a stream or an error to the limiters."""
        if self.observed:
            return
        for headers in (
            getattr(said, "litellm_response_headers", None),
            getattr(said, "_response_headers", None),
            _hidden(said).get("additional_headers"),
        ):
            if headers:
                self.observe(headers, getattr(said, "status_code", 200))
                return

    def answered(self, response: Any) -> None:
        """Price the call by the model that answered, where the prices know it; a fallback may cost more."""
        priced = [layer.prices for layer in self._layers if layer.prices is not None]
        asked = self._prompt.model_name
        for name in _served(response) if priced else ():
            # After a fallback, LiteLLM's own name of the model is still that of the one that was asked.
            if asked not in (name, name.rpartition("/")[2]) and all(prices.knows(name) for prices in priced):
                self._prompt = dataclasses.replace(self._prompt, model_name=name)
                return


class ChunkUsage(StreamUsage):
    """The usage in a stream of LiteLLM, read from the provider's chunks, which the stream keeps."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._events: BodyReader | None = None

    def add(self, chunk: Any) -> None:
        """Read one chunk: an object, or bytes of the events that the provider's own API would send."""
        if not isinstance(chunk, bytes):
            super().add(_as_sent(chunk))
            return
        self.started = True
        if self._events is None:
            self._events = BodyReader("text/event-stream")
        self._events.feed(chunk)

    def fields(self) -> Fields | None:
        """Return the usage that the provider reported, or None if it reported none.

        LiteLLM ends each stream with a usage, and counts one itself if the provider reported none. The chunks
        that it keeps are the provider's. A Router's sync stream keeps none, so LiteLLM's own usage is taken
        there.
        """
        if self._events is not None:
            return self._events.fields()
        kept = getattr(self._stream, "chunks", None)
        if not isinstance(kept, list) or not kept:
            return super().fields()
        seen = StreamUsage()
        for chunk in kept:
            seen.add(chunk)
        return seen.fields()


def _as_sent(event: Any) -> Any:
    """Return an event as the provider sent it: LiteLLM writes its own computation in place of the cost."""
    response: Any = getattr(event, "response", None)
    hidden = _hidden(response)
    if _UPSTREAM_COST not in hidden:
        return event
    usage = {**_values(response.usage), "cost": hidden[_UPSTREAM_COST]}
    return {"type": getattr(event, "type", None), "response": {**_values(response), "usage": usage}}


def _values(model: Any) -> dict[str, Any]:
    return {**model.__dict__, **(getattr(model, "__pydantic_extra__", None) or {})}


def named(names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by their names.

    Raises:
        TypeError: There are too many, or one is given twice.

    """
    if len(args) > len(names):
        raise TypeError(f"{len(names)} arguments may be given without their names, not {len(args)}")
    given = dict(zip(names, args, strict=False))
    twice = given.keys() & kwargs.keys()
    if twice:
        raise TypeError(f"given twice: {', '.join(sorted(twice))}")
    return {**given, **kwargs}


def lite_call(name: str, layers: Sequence[Layer], arguments: Mapping[str, Any]) -> LiteCall:
    """Begin one call; nothing is reserved yet.

    Raises:
        PolicyError: A model has no price where it needs one.

    """
    return LiteCall(layers, read_prompt(name, layers, arguments), as_litellm_error)


def read_prompt(name: str, layers: Sequence[Layer], arguments: Mapping[str, Any]) -> Prompt:
    """Estimate a call by its arguments.

    Args:
        name: The name of the function.
        layers: Its wraps; their prices decide whether the model is known with its provider's prefix.
        arguments: The arguments, by name.

    Returns:
        The estimate, in tokens.

    """
    merged = arguments.get("extra_body")
    sent = {**arguments, **merged} if isinstance(merged, Mapping) else arguments
    sent = {**_google_body(sent), **sent}
    body = {part: _plain(sent[part]) for part in _BODY if sent.get(part) is not None}
    body |= {limit: sent[limit] for limit in _LIMITS if limit in sent}
    model = arguments.get("model")
    if isinstance(model, str):
        body["model"] = _priced_name(model, layers)
    provider = provider_at(_address(arguments), _provider(arguments))
    if name.endswith("text_completion"):
        return read_completion(body, provider=provider)
    prompt = read_body(body, provider=provider)
    if "embedding" in name:
        return dataclasses.replace(prompt, output_limit=0, choices=1)
    return prompt


def _google_body(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the `config` of Google's `generate_content` says, in the words of a body."""
    config = _plain(sent.get("config"))
    if not isinstance(config, Mapping):
        return {"text": sent["questions"]} if sent.get("questions") else {}
    most = config.get("max_output_tokens", config.get("maxOutputTokens"))
    system = config.get("system_instruction", config.get("systemInstruction"))
    said = {"max_output_tokens": most, "systemInstruction": system, "tools": config.get("tools")}
    return {part: _plain(value) for part, value in said.items() if value is not None}


def from_cache(response: Any) -> bool:
    """Say whether a response or a stream came out of LiteLLM's cache."""
    return _hidden(response).get("cache_hit") is True


def _priced_name(model: str, layers: Sequence[Layer]) -> str:
    bare = model.split("/", 1)[-1]
    priced = [layer.prices for layer in layers if layer.prices is not None]
    if priced and not all(prices.knows(model) for prices in priced):
        return bare if all(prices.knows(bare) for prices in priced) else model
    return model


def _address(arguments: Mapping[str, Any]) -> Any:
    """Return the address that the arguments name; LiteLLM has two words for it."""
    return arguments.get("api_base") or arguments.get("base_url")


def _provider(arguments: Mapping[str, Any]) -> str:
    """Return the provider as LiteLLM names it, or "litellm" where the arguments do not say."""
    given, model = arguments.get("custom_llm_provider"), arguments.get("model")
    if isinstance(given, str) and given:
        return given
    if not isinstance(model, str):
        return "litellm"
    prefix = model.split("/", 1)[0]
    if "/" in model and prefix in {getattr(one, "value", one) for one in litellm.provider_list}:
        return prefix
    known = litellm.model_cost.get(model)
    provider = known.get("litellm_provider") if isinstance(known, Mapping) else None
    return provider if isinstance(provider, str) and provider else "litellm"


def _served(response: Any) -> list[str]:
    """Return the names of what answered: the Router's group, LiteLLM's model, the provider's own name."""
    hidden = _hidden(response)
    headers = hidden.get("additional_headers")
    group = headers.get("x-litellm-model-group") if isinstance(headers, Mapping) else None
    names = (group, hidden.get("litellm_model_name"), getattr(response, "model", None))
    return [name for name in names if isinstance(name, str) and name]


def _hidden(response: Any) -> Mapping[str, Any]:
    hidden = getattr(response, "_hidden_params", None)
    return hidden if isinstance(hidden, Mapping) else {}


def _plain(part: Any) -> Any:
    # LiteLLM takes its own messages back as objects, and formats as classes.
    if isinstance(part, list | tuple):
        return [_plain(one) for one in part]
    if isinstance(part, type) and hasattr(part, "model_json_schema"):
        return part.model_json_schema()
    dump = getattr(part, "model_dump", None)
    return dump(exclude_none=True) if dump is not None and not isinstance(part, type) else part
