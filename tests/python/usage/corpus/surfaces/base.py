"""What every surface has: a name, the payloads that it can meet, and how one of them is booked there."""

from __future__ import annotations

from typing import Any

from corpus_entry import NAMES, Entry
from corpus_world import Kept, Provider

from outlay import Usage

#: How a request of each shape ends; what stands before it is the base of the client's addresses.
ENDS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "completions": "/completions",
    "messages": "/v1/messages",
}
_NOT_SENT = {
    "event": "it comes over a socket, not as the answer to a request",
    "line": "it is a line of a file of results, which is fetched by a request that asks no model",
    "object": "a framework makes it, no provider sends it",
}


class Surface:
    """One surface; the subclass books there."""

    name = ""
    says = ""
    #: The shapes that can meet it, and the package that each of them needs.
    shapes: dict[str, str] = {}
    #: Why no other shape can.
    others = ""

    def gap(self, entry: Entry) -> str | None:
        """Return why an entry is not held here, or None where it is."""
        if self.name in entry.gaps:
            return entry.gaps[self.name]
        if entry.sent in _NOT_SENT:
            return _NOT_SENT[entry.sent]
        if entry.shape not in self.shapes:
            return self.others
        end = ENDS.get(entry.shape)
        return (
            None
            if end is None or entry.path.endswith(end)
            else f"its path is not the one that {self.name} asks"
        )

    def package(self, entry: Entry) -> str | None:
        """Return the package that must be installed for an entry."""
        return self.shapes.get(entry.shape)

    def book(self, entry: Entry, provider: Provider) -> dict[str, Any]:
        """Return what is booked for an entry, by the names of `Usage`."""
        kept = Kept()
        self.call(entry, provider, kept)
        return fields_of(kept.booked)

    def call(self, entry: Entry, provider: Provider, budget: Any) -> None:
        """Make one call on a budget, and read its answer to the end."""
        raise NotImplementedError


def fields_of(usage: Usage) -> dict[str, Any]:
    """Return the counts of a usage by their names."""
    said = {name: getattr(usage, name) for name in (*NAMES.values(), "cost_micros_usd")}
    return {**said, "billed_as": sorted(said["billed_as"]), "units": dict(said["units"])}


def prices_of(entry: Entry) -> dict[str, Any]:
    """Return the table of prices of the entry's model."""
    return {entry.model: entry.prices}


def base_of(entry: Entry, provider: Provider) -> str:
    """Return the address that a client of the entry's shape is given."""
    return provider.url + entry.path.removesuffix(ENDS[entry.shape])
