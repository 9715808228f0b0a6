"""The surfaces without an SDK: `Usage.from_response` and `governed`."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

from corpus_entry import Entry
from corpus_world import Kept, Provider

from outlay import Guard, Usage, governed
from surfaces.base import Surface, fields_of, prices_of


def as_object(value: Any) -> Any:
    """Return nested dicts as objects with attributes, as SDKs have them."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(inner) for name, inner in value.items()})
    return [as_object(one) for one in value] if isinstance(value, list) else value


class _Direct(Surface):
    def gap(self, entry: Entry) -> str | None:
        if self.name in entry.gaps:
            return entry.gaps[self.name]
        if entry.streams and entry.telling is None:
            return "the counts of the stream stand in several events"
        return None

    def package(self, entry: Entry) -> str | None:
        return None

    def book(self, entry: Entry, provider: Provider) -> dict[str, Any]:
        return fields_of(Usage.from_response(self.read(entry), model=entry.model, prices=prices_of(entry)))

    def read(self, entry: Entry) -> Any:
        raise NotImplementedError


class AsDict(_Direct):
    """The parsed JSON."""

    name = "dict"
    says = "`Usage.from_response` of the parsed JSON; of a stream, of the event that tells all"

    def read(self, entry: Entry) -> Any:
        """Return the parsed JSON."""
        return entry.whole()


class AsObject(_Direct):
    """Objects with attributes."""

    name = "object"
    says = "`Usage.from_response` of the same as an object; what a framework makes is made by its own class"

    def package(self, entry: Entry) -> str | None:
        """Return the package of the framework that makes the entry."""
        return entry.made.partition(".")[0].partition(":")[0] if entry.made else None

    def read(self, entry: Entry) -> Any:
        """Return an object."""
        if not entry.made:
            return as_object(entry.whole())
        module, _, name = entry.made.partition(":")
        return getattr(importlib.import_module(module), name)(**entry.whole())


class Governed(Surface):
    """A governed function, on a guard whose policy has the prices."""

    name = "governed"
    says = (
        "`governed`: a function that returns it, a generator that yields its events; a guard has the prices"
    )

    def gap(self, entry: Entry) -> str | None:
        """Hold all."""
        return entry.gaps.get(self.name)

    def package(self, entry: Entry) -> str | None:
        """Need nothing."""
        return None

    def book(self, entry: Entry, provider: Provider) -> dict[str, Any]:
        """Book by the guard what another budget keeps."""
        kept, guard = Kept(), guard_of(entry)

        @governed([kept, guard], estimate=1, model=entry.model)
        def ask() -> Any:
            return entry.whole()

        @governed([kept, guard], estimate=1, model=entry.model)
        def stream() -> Any:
            yield from entry.events()

        if entry.streams:
            list(stream())
        else:
            ask()
        return {**fields_of(kept.booked), "cost_micros_usd": spent(guard)}


def guard_of(entry: Entry) -> Guard:
    """Return a guard with the entry's prices and room for all of it."""
    limit = {"usd": "1000000"}
    return Guard({"prices": prices_of(entry), "budget": [{"name": "all", "limit": limit}]})


def spent(guard: Guard) -> int:
    """Return the micro-USD that a guard has booked."""
    return guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"]
