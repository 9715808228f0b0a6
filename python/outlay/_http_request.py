"""Which HTTP requests ask a model for something, and what each of them asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlay._prompt import Prompt, read_body, read_completion

# Gemini, and models of other makers on Vertex AI, name the model in the path.
_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):\w+$")
# They carry a prompt and generate nothing.
_UNPAID = (
    "/count_tokens",
    "/input_tokens",
    "/tokenize",
    "/moderations",
    ":countTokens",
    ":computeTokens",
)
_WITHOUT_OUTPUT = (
    "/embeddings",
    "/rerank",
    "/api/embed",
    ":embedContent",
    ":batchEmbedContents",
)
# What a request to OpenAI's responses may have in place of an input.
_STORED = ("prompt", "previous_response_id", "conversation")
_PROVIDERS = {
    "openai.com": "openai",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "anthropic.com": "anthropic",
    "googleapis.com": "google",
    "groq.com": "groq",
    "mistral.ai": "mistral",
    "deepseek.com": "deepseek",
    "x.ai": "xai",
    "together.xyz": "together",
    "fireworks.ai": "fireworks",
    "openrouter.ai": "openrouter",
    "cohere.com": "cohere",
    "perplexity.ai": "perplexity",
    "cerebras.ai": "cerebras",
    "amazonaws.com": "bedrock",
}


def may_ask(method: str, path: str, content_type: str) -> bool:
    """Return whether the body of a request is worth reading: a POST of JSON to a path that may cost."""
    return (
        method.upper() == "POST"
        and _is_json(content_type.partition(";")[0].strip().lower())
        and not path.rstrip("/").endswith(_UNPAID)
    )


def read_request(path: str, content: bytes, *, provider: str) -> Prompt | None:
    """Estimate a request for which `may_ask` is true.

    Args:
        path: The path of its URL.
        content: Its body.
        provider: The label of the provider.

    Returns:
        The estimate, or None if the body asks no model: it has nothing that a prompt stands in.

    """
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, Mapping):
        return None
    path = path.rstrip("/")
    asked = _with_input(path, body)
    if asked is None:
        return None
    if path.endswith("/completions") and asked.get("messages") is None and asked.get("prompt") is not None:
        return read_completion(asked, provider=provider)
    found = _MODEL_IN_PATH.search(path)
    prompt = read_body(asked, provider=provider, model=found.group(1) if found else None)
    return replace(prompt, output_limit=0) if path.endswith(_WITHOUT_OUTPUT) else prompt


def provider_of(host: str) -> str:
    """Return the label of the provider at a host: a short name where it is known, else the host itself."""
    parts = host.lower().split(".")
    # The longest name first: Azure's hosts are under names of their own.
    for start in range(len(parts)):
        known = _PROVIDERS.get(".".join(parts[start:]))
        if known is not None:
            return known
    return host


def _with_input(path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if any(body.get(name) is not None for name in ("messages", "input", "contents")):
        return body
    if path.endswith(("/completions", "/api/generate", "/api/embeddings")) and body.get("prompt") is not None:
        return {**body, "input": body["prompt"]}
    if path.endswith("/responses") and any(body.get(name) is not None for name in _STORED):
        return body
    if path.endswith(":embedContent"):
        return {**body, "contents": body.get("content")}
    if path.endswith(":batchEmbedContents") and isinstance(body.get("requests"), list):
        return {**body, "contents": [one.get("content") for one in body["requests"] if isinstance(one, dict)]}
    if path.endswith("/rerank") and isinstance(body.get("documents"), list):
        return {**body, "input": [body.get("query"), *body["documents"]]}
    return None


def _is_json(kind: str) -> bool:
    # Some requests do not say what they are.
    return kind in ("application/json", "") or kind.endswith("+json")
