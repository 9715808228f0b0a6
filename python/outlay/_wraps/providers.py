"""The labels of providers by the addresses of their clients: one table for all wraps."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import urlsplit

# The end of a host, and the label of the provider there.
_PROVIDERS = {
    "openai.com": "openai",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "anthropic.com": "anthropic",
    "googleapis.com": "google",
    "groq.com": "groq",
    "mistral.ai": "mistral",
    "deepseek.com": "deepseek",
    "x.ai": "xai",
    "together.xyz": "together",
    "together.ai": "together",
    "fireworks.ai": "fireworks",
    "openrouter.ai": "openrouter",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "perplexity.ai": "perplexity",
    "cerebras.ai": "cerebras",
    "amazonaws.com": "bedrock",
    "moonshot.ai": "moonshotai",
    "moonshot.cn": "moonshotai",
    "z.ai": "zai",
    "novita.ai": "novita",
    "voyageai.com": "voyageai",
}
# Whose APIs other providers speak too: their clients are given other addresses.
_SPOKEN = ("openai", "anthropic")


def provider_of(host: str) -> str:
    """Return the label of the provider at a host: a short name if it is known, else the host itself."""
    return _known(host) or host


def provider_at(address: Any, own: str) -> str:
    """Return the label of the provider of a client.

    Args:
        address: The URL of the client, a text or an object with such a text; None if it is not known.
        own: The name that the client gives. It stays if the address is not known, or if it names a provider
            whose API nobody else speaks.

    """
    if own not in _SPOKEN or address is None:
        return own
    return _at(str(address)) or own


@functools.lru_cache(maxsize=1_024)
def _at(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return _known(host) if host else None


def _known(host: str) -> str | None:
    parts = host.lower().rstrip(".").split(".")
    # The longest name first: Azure's hosts are under names of their own.
    names = (".".join(parts[start:]) for start in range(len(parts)))
    return next((_PROVIDERS[name] for name in names if name in _PROVIDERS), None)
