"""The transports of httpx and httpx2: the request as the provider wants it, on a guard with the prices."""

from __future__ import annotations

import importlib
from typing import Any

from corpus_entry import Entry
from corpus_world import Kept, Provider

from surfaces.base import Surface, fields_of
from surfaces.by_hand import guard_of, spent

_SHAPES = (
    "chat",
    "responses",
    "embeddings",
    "completions",
    "messages",
    "gemini",
    "cohere",
    "ollama",
    "converse",
    "other",
)


class _Http(Surface):
    def gap(self, entry: Entry) -> str | None:
        if entry.path.endswith(("/images/generations", "/audio/transcriptions", "/ocr")):
            return "pictures, sound and scans are not guarded"
        return super().gap(entry)

    def book(self, entry: Entry, provider: Provider) -> dict[str, Any]:
        hx = importlib.import_module(self.name)
        guarded = importlib.import_module(f"outlay.{self.name}")
        kept, guard = Kept(), guard_of(entry)
        # Some servers have one model, and no name for it in the request.
        labels = {"model": entry.model} if entry.nameless else {}
        transport = guarded.transport([kept, guard], provider=entry.label, **labels)
        with hx.Client(transport=transport) as client:
            client.post(provider.url + entry.path, json=entry.asked).raise_for_status()
        return {**fields_of(kept.booked), "cost_micros_usd": spent(guard)}


class Httpx(_Http):
    """The transport of httpx."""

    name = "httpx"
    says = "`outlay.httpx`: the request over a guarded transport, at the provider's own path"
    shapes = dict.fromkeys(_SHAPES, "httpx")


class Httpx2(_Http):
    """The transport of httpx2."""

    name = "httpx2"
    says = "`outlay.httpx2`: the same"
    shapes = dict.fromkeys(_SHAPES, "httpx2")
