"""OpenAI's client: chat completions, responses, embeddings and the older completions."""

from __future__ import annotations

import functools
from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of


@functools.cache
def plain_client() -> Any:
    """Return one client for all: to make one takes long."""
    import openai

    return openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", max_retries=0, timeout=10)


class OpenAIClient(Surface):
    """A wrapped `OpenAI`."""

    name = "openai"
    says = "`outlay.openai.wrap`: the SDK asks for it"
    shapes = dict.fromkeys(("chat", "responses", "embeddings", "completions"), "openai")
    others = "OpenAI's SDK does not speak it"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Ask by the method of the shape."""
        from outlay.openai import wrap

        client = plain_client().with_options(base_url=base_of(entry, provider))
        guarded = wrap(client, budget, prices=prices_of(entry))
        methods = {
            "chat": guarded.chat.completions,
            "responses": guarded.responses,
            "embeddings": guarded.embeddings,
            "completions": guarded.completions,
        }
        answer = methods[entry.shape].create(**entry.asked)
        if entry.streams:
            list(answer)
