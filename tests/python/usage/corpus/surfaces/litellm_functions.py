"""LiteLLM's functions, each with the prefix of the provider whose API it is to speak."""

from __future__ import annotations

import os
from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of

_ASKED = {"messages": [{"role": "user", "content": "Hi"}]}


class LiteLLM(Surface):
    """Wrapped functions."""

    name = "litellm"
    says = "`outlay.litellm.wrap`: `completion`, `responses`, `embedding` or `text_completion` asks for it"
    shapes = dict.fromkeys(
        ("chat", "responses", "embeddings", "completions", "messages", "gemini", "cohere", "ollama"),
        "litellm",
    )
    others = "LiteLLM does not ask for it at an address of one's own"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Ask by the function of the shape."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        from outlay.litellm import wrap

        litellm.suppress_debug_info = True
        # It would count some streams itself, with a tokenizer from the network.
        litellm.disable_hf_tokenizer_download = True
        name, options = _options(entry, provider)
        function = wrap(getattr(litellm, name), budget, prices=prices_of(entry))
        if entry.tier is not None:
            options["service_tier"] = entry.tier
        if entry.streams:
            options["stream"] = True
        if entry.streams and entry.shape == "chat":
            options["stream_options"] = {"include_usage": True}
        answer = function(api_key="none", timeout=10, max_retries=0, **options)
        if entry.streams:
            list(answer)


def _options(entry: Entry, provider: Provider) -> tuple[str, dict[str, Any]]:
    """Return the name of the function, and what says whom it asks and for what."""
    if entry.shape == "messages":
        address = base_of(entry, provider) + "/v1/messages"
        return "completion", {"model": f"anthropic/{entry.model}", "api_base": address, **_ASKED}
    if entry.shape == "gemini":
        return "completion", {"model": f"gemini/{entry.model}", "api_base": provider.url, **_ASKED}
    if entry.shape == "cohere":
        return "completion", {
            "model": f"cohere_chat/{entry.model}",
            "api_base": provider.url + entry.path,
            **_ASKED,
        }
    if entry.shape == "ollama":
        return "completion", {"model": f"ollama_chat/{entry.model}", "api_base": provider.url, **_ASKED}
    options = {"model": f"openai/{entry.model}", "api_base": base_of(entry, provider)}
    if entry.shape == "chat":
        return "completion", {**options, **_ASKED}
    if entry.shape == "completions":
        return "text_completion", {
            **options,
            "model": f"text-completion-openai/{entry.model}",
            "prompt": "Hi",
        }
    return ("responses" if entry.shape == "responses" else "embedding"), {**options, "input": "Hi"}
