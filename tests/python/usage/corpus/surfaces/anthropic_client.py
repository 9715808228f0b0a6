"""Anthropic's client: messages, and their streams."""

from __future__ import annotations

import functools
from typing import Any

from corpus_entry import Entry
from corpus_world import Provider

from surfaces.base import Surface, base_of, prices_of


@functools.cache
def plain_client() -> Any:
    """Return one client for all: to make one takes long."""
    import anthropic

    return anthropic.Anthropic(base_url="http://127.0.0.1:1", api_key="none", max_retries=0, timeout=10)


class AnthropicClient(Surface):
    """A wrapped `Anthropic`."""

    name = "anthropic"
    says = "`outlay.anthropic.wrap`: the SDK asks for it"
    shapes = {"messages": "anthropic"}
    others = "Anthropic's SDK does not speak it"

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Ask for one message."""
        from outlay.anthropic import wrap

        client = plain_client().with_options(base_url=base_of(entry, provider))
        answer = wrap(client, budget, prices=prices_of(entry)).beta.messages.create(**entry.asked)
        if entry.streams:
            list(answer)
