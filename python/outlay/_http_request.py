"""Which HTTP requests ask a model for something, and what each of them asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlay._prompt import Prompt, read_body

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
_WITHOUT_OUTPUT = ("/embeddings", "/rerank")
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
        and content_type.partition(";")[0].strip().lower() == "application/json"
        and not path.rstrip("/").endswith(_UNPAID)
    )


def read_request(path: str, content: bytes, *, provider: str) -> Prompt | None:
    """Estimate a request for which `may_ask` is true.

    Args:
        path: The path of its URL.
        content: Its body.
        provider: The label of the provider.

    Returns:
        The estimate, or None if the body asks no model: it has no messages, input, contents or prompt.

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
    if path.endswith("/completions") and body.get("prompt") is not None:
        return {**body, "input": body["prompt"]}
    return None
