"""The entries of the corpus: payloads as providers send them, each with what outlay must book for it.

An entry is a table `[[payload]]` in a file below `payloads/`:

    id, provider, kind      its name; who sends it; what it is, in a few words
    page, url               the page of the provider's documentation that describes the shape
    shape                   whose API it is: "chat", "responses", "embeddings", "completions" (OpenAI's),
                            "messages" (Anthropic's), "gemini", "cohere", "ollama", "converse" or "other"
    sent                    "json" (default), "events", "lines", "frames"; "event" comes over a socket,
                            "line" is a line of a file of results, "object" is made by a framework
    path, model             where the request goes, and the model that it names; `ask` is its body where the
                            shape does not say it; `label` the provider's label where no host tells it;
                            `nameless`: the request names no model
    made                    the class of a framework that makes the object, as "module:Class"
    body                    what is sent, to the letter; of "frames" the JSON of each frame after its kind
    telling                 the event of a stream that tells all by itself, by its index; none does without
    counts, said, cost      what is booked, by hand; `said` is the cost that the provider tells itself
    gaps, at                surface -> why it cannot be held there, or what is booked there instead and why

Prices stand in the same file, by model, in USD per million tokens. All numbers are our own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

from outlay import Usage

PAYLOADS = Path(__file__).parent / "payloads"
#: The names of the counts in an entry, and those of `Usage`.
NAMES = {
    "input": "input_tokens",
    "output": "output_tokens",
    "total": "total_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
    "audio_input": "audio_input_tokens",
    "audio_output": "audio_output_tokens",
    "units": "units",
    "billed_as": "billed_as",
}
STREAMS = ("events", "lines", "frames")
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Entry:
    """One payload, and what is to be booked for it."""

    id: str
    provider: str
    kind: str
    page: str
    url: str
    shape: str
    model: str
    body: str
    counts: Mapping[str, Any]
    cost: int
    prices: Mapping[str, Any]
    sent: str = "json"
    path: str = ""
    ask: str | None = None
    label: str | None = None
    nameless: bool = False
    made: str | None = None
    telling: int | None = None
    said: int = 0
    gaps: Mapping[str, str] = field(default_factory=dict)
    at: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def streams(self) -> bool:
        """Whether it comes in pieces."""
        return self.sent in STREAMS

    @property
    def tier(self) -> str | None:
        """Return the service tier that a request asks for; None where it asks for none."""
        tiers = (way for way in self.counts.get("billed_as", ()) if way in ("priority", "flex"))
        # Anthropic's requests name none that is dearer.
        return next(tiers, None) if self.shape in ("chat", "responses", "gemini") else None

    @property
    def asked(self) -> dict[str, Any]:
        """Return the JSON of the request that is answered by it."""
        if self.ask is not None:
            return json.loads(self.ask)
        how: dict[str, Any] = {"stream": True} if self.streams else {}
        if self.tier is not None:
            how["service_tier"] = self.tier
        words = {"role": "user", "content": "Hi"}
        if self.shape == "gemini":
            return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        if self.shape == "converse":
            return {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
        if self.shape in ("responses", "embeddings"):
            return {"model": self.model, "input": "Hi", **how}
        if self.shape == "completions":
            return {"model": self.model, "prompt": "Hi", **how}
        limit = {"max_tokens": 16} if self.shape == "messages" else {}
        return {"model": self.model, "messages": [words], **limit, **how}

    def events(self) -> list[Any]:
        """Return the JSON of each event, line or frame of a stream."""
        lines = self.body.strip().splitlines()
        if self.sent == "events":
            said = [line[5:].strip() for line in lines if line.startswith("data:")]
            return [json.loads(text) for text in said if text != "[DONE]"]
        if self.sent == "frames":
            parsed = ((kind, json.loads(text)) for kind, text in self.frames())
            # What `invoke` streams is the model's own JSON; an event of `converse` has its kind around it.
            return [event if kind == "chunk" else {kind: event} for kind, event in parsed]
        return [json.loads(line) for line in lines]

    def frames(self) -> list[tuple[str, str]]:
        """Return the kind and the JSON of each frame."""
        parted = (line.partition(" ") for line in self.body.strip().splitlines())
        return [(kind, text) for kind, _, text in parted]

    def whole(self) -> Any:
        """Return the one object that tells all: the body, or the telling event of a stream."""
        if not self.streams:
            return json.loads(self.body)
        assert self.telling is not None
        return self.events()[self.telling]

    def expected(self, surface: str) -> Usage:
        """Return what is to be booked at a surface."""
        other = self.at.get(surface, {})
        counts = {**self.counts, **other.get("counts", {})}
        fields = {NAMES[name]: value for name, value in counts.items()}
        return Usage(**fields, cost_micros_usd=other.get("cost", self.cost))


def load_entries() -> list[Entry]:
    """Return all entries, in the order of their providers' names."""
    found = []
    for path in sorted(PAYLOADS.rglob("*.toml")):
        file = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [Entry(**one, prices=file["prices"][one["model"]]) for one in file["payload"]]
    return sorted(found, key=lambda one: (one.provider.lower(), one.id))


def cost_by_hand(counts: Mapping[str, Any], prices: Mapping[str, Any], model: str) -> int:
    """Return the micro-USD of counts at the prices of their file, by what the kinds mean.

    The input includes what was read from a cache, what was written to one, and sound. The output includes
    reasoning and sound. What the total has above both costs what the dearer of the two costs.
    """
    given, made = counts["input"], counts["output"]
    row = prices
    for tier in sorted(prices.get("tiers", ()), key=lambda one: one["above_input_tokens"]):
        if given > tier["above_input_tokens"]:
            row = {**prices, **tier}
    usd = {name: Decimal(text) for name, text in row.items() if isinstance(text, str)}
    read, hour = counts.get("cache_read", 0), counts.get("cache_write_1h", 0)
    written = counts.get("cache_write", 0) - hour
    heard, spoken = counts.get("audio_input", 0), counts.get("audio_output", 0)
    thought = counts.get("reasoning", 0)
    for_hour = 2 * usd["input"] if "claude" in model else usd.get("cache_write", usd["input"])
    tokens = (
        (given - read - written - hour - heard) * usd["input"]
        + read * usd.get("cache_read", usd["input"])
        + written * usd.get("cache_write", usd["input"])
        + hour * usd.get("cache_write_1h", for_hour)
        + heard * usd.get("audio_input", usd["input"])
        + (made - thought - spoken) * usd["output"]
        + thought * usd.get("reasoning", usd["output"])
        + spoken * usd.get("audio_output", usd["output"])
        + (counts.get("total", given + made) - given - made) * max(usd["input"], usd["output"])
    ) / _MILLION
    for way in counts.get("billed_as", ()):
        tokens *= Decimal(prices.get("multipliers", {}).get(way, "1"))
    units = sum(number * Decimal(prices["units"][name]) for name, number in counts.get("units", {}).items())
    whole = (tokens + units + usd.get("request", Decimal(0))) * _MILLION
    return int(whole.to_integral_value(ROUND_CEILING))
