"""The reading of HTTP requests: it decides whether one asks a model, and estimates it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlay._usage.prompt import Prompt, read_body, read_completion
from outlay._wraps.endpoints import may_cost
from outlay._wraps.providers import provider_of

# Gemini, models of other makers on Vertex AI, and Bedrock name the model in the path.
_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):\w+$|/model/([^/]+)/(?:invoke|converse)[\w-]*$")
# What may be a call of a model, whatever a body that is still to be sent says of itself.
_CALLS = re.compile(
    r"/(?:completions?|responses|messages|embeddings?|embed|rerank|chat|generate(?:_stream)?|summarize|classify"
    r"|api/\w+|invoke[\w-]*|converse[\w-]*|compact|decisions|interactions)$"
    r"|:(?:stream)?generatecontent$|:(?:batch)?embedcontents?$|:(?:stream)?rawpredict$",
    re.IGNORECASE,
)
_UNREAD = ("multipart/", "audio/", "image/", "video/", "application/octet-stream")
# These requests carry a prompt and generate nothing.
_UNPAID = (
    "/count_tokens",
    "/input_tokens",
    "/tokenize",
    "/moderations",
    ":counttokens",
    ":computetokens",
)
_WITHOUT_OUTPUT = (
    "/embeddings",
    "/rerank",
    "/embed",
    "/classify",
    ":embedcontent",
    ":batchembedcontents",
)
# What a request to OpenAI's responses may have in place of an input.
_STORED = ("prompt", "previous_response_id", "conversation")
_PROMPTED = ("/completions", "/api/generate", "/api/embeddings")
_GENERATE = ("/completion", "/generate", "/generate_stream")
# Of the hosts of Amazon and Google, those that serve models.
_MODELS_HOSTS = ("bedrock", "generativelanguage", "aiplatform")
# Where the models of Bedrock and Cohere's first API have their prompts, and how they limit their output.
_FIRST_WORDS = ("prompt", "inputText", "message", "chat_history", "preamble", "texts", "text", "inputs")
_OTHER_LIMITS = ("max_gen_len", "maxTokens", "maxTokenCount", "max_tokens_to_sample", "max_new_tokens")
# A body that has no brace so near to its begin is no JSON object, and need not be decoded to be sure.
_FIRST_BYTES = 256


def may_ask(method: str, path: str, content_type: str, *, at_hand: bool = True) -> bool:
    """Return whether a request may ask a model for something, so that its body must be read.

    Args:
        method: The method.
        path: The path of its URL, plain.
        content_type: What the body says that it is; a body at hand is read whatever it says.
        at_hand: The body is bytes already; else it is a stream, which must be kept to be read.

    """
    if not may_cost(method) or path.lower().endswith(_UNPAID):
        return False
    return at_hand or not content_type.strip().lower().startswith(_UNREAD) or bool(_CALLS.search(path))


def read_request(path: str, content: bytes, *, provider: str) -> Prompt | None:
    """Estimate a request for which `may_ask` is true.

    Args:
        path: The path of its URL, plain.
        content: Its body.
        provider: The label of the provider.

    Returns:
        The estimate, or None if the body has no prompt, so that it asks no model.

    """
    if b"{" not in content[:_FIRST_BYTES]:
        return None
    asked = _asked(path, content, None, provider) or _asked(path, content, _first_said, provider)
    if asked is None:
        return None
    plain = path.lower()
    if plain.endswith("/completions") and asked.get("messages") is None and asked.get("prompt") is not None:
        return read_completion(asked, provider=provider)
    found = _MODEL_IN_PATH.search(path)
    model = next(filter(None, found.groups()), None) if found else None
    prompt = read_body(asked, provider=provider, model=model)
    return replace(prompt, output_limit=0) if plain.endswith(_WITHOUT_OUTPUT) else prompt


def _asked(path: str, content: bytes, hook: Any, provider: str) -> Mapping[str, Any] | None:
    try:
        body = json.loads(content, object_pairs_hook=hook)
    except (ValueError, RecursionError):
        return None
    return _with_input(path.lower(), body, provider) if isinstance(body, Mapping) else None


def _first_said(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep what a key said first where it is there twice and says nothing the second time."""
    said: dict[str, Any] = {}
    for name, value in pairs:
        if value is not None or name not in said:
            said[name] = value
    return said


def serves_models(host: str) -> bool:
    """Return whether a host is known as a provider's, and for nothing else than models."""
    provider = provider_of(host)
    if provider in ("bedrock", "google"):
        return any(word in host.lower() for word in _MODELS_HOSTS)
    return provider != host


def _with_input(path: str, body: Mapping[str, Any], provider: str) -> Mapping[str, Any] | None:
    if any(body.get(name) is not None for name in ("messages", "input", "contents")):
        return body
    if path.endswith(_PROMPTED) and body.get("prompt") is not None:
        return {**body, "input": body["prompt"]}
    if path.endswith("/responses") and any(body.get(name) is not None for name in _STORED):
        return body
    if path.endswith(":embedcontent"):
        return {**body, "contents": body.get("content")}
    if path.endswith(":batchembedcontents") and isinstance(body.get("requests"), list):
        return {**body, "contents": [one.get("content") for one in body["requests"] if isinstance(one, dict)]}
    if path.endswith("/rerank") and isinstance(body.get("documents"), list):
        return {**body, "input": [body.get("query"), *body["documents"]]}
    if provider == "cohere" or _MODEL_IN_PATH.search(path):
        return _first_apis(body, _FIRST_WORDS)
    if not path.endswith(_GENERATE):
        return None
    # SGLang's prompt is the text; other services have a text, too.
    words = ("prompt", "inputs", "text") if "sampling_params" in body else ("prompt", "inputs")
    return _first_apis(body, words)


def _first_apis(body: Mapping[str, Any], words: tuple[str, ...]) -> Mapping[str, Any] | None:
    """Read a body of Bedrock's `invoke` or of Cohere's first API, which have words of their own."""
    given = [body[name] for name in words if body.get(name) is not None]
    if not given:
        return None
    inner = (body.get("textGenerationConfig"), body.get("parameters"), body.get("sampling_params"))
    limits = [one for one in (body, *inner) if isinstance(one, Mapping)]
    found = (one[name] for one in limits for name in ("max_tokens", *_OTHER_LIMITS) if name in one)
    most, many = next(found, None), body.get("num_generations")
    return {
        "model": body.get("model"),
        "input": _flat(given),
        "tools": body.get("tools"),
        "max_tokens": most,
        "n": many or body.get("n"),
    }


def _flat(given: list[Any]) -> list[Any]:
    return [one for each in given for one in (each if isinstance(each, list) else [each])]
