"""The usages of frameworks: LangChain, Pydantic AI, and outlay's own."""

from __future__ import annotations

from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.beside import add_beside, add_unit, add_ways
from outlay._usage.shapes.reading import Reader, above_zero, count, reader
from outlay._usage.shapes.whole import whole

_HOUR = "ephemeral_1h_input_tokens"
_FIVE_MINUTES = "ephemeral_5m_input_tokens"
_TIERS = ("priority", "flex")
# In the details of Pydantic AI, by the names of the providers: DeepSeek, Moonshot, Claude behind gateways.
_READ_FLAT = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
_WRITTEN_FLAT = "cache_creation_input_tokens"
_UNITS = {"web_search_requests": "web_search", "web_fetch_requests": "web_fetch"}


def langchain_fields(read: Reader) -> Fields:
    """Read LangChain's usage: the input includes the cache, the output includes reasoning."""
    # langchain_core.messages.ai.UsageMetadata. A service tier ("priority", "flex") prefixes the details of
    # langchain-openai; langchain-anthropic splits what was written by lifetime and may leave the sum at 0.
    given, made = reader(read("input_token_details")), reader(read("output_token_details"))
    hour = count(given, _HOUR)
    written = max(_tiered(given, "cache_creation"), count(given, _FIVE_MINUTES) + hour)
    fields = {
        "input_tokens": count(read, "input_tokens"),
        "output_tokens": count(read, "output_tokens"),
        "cache_read_tokens": _tiered(given, "cache_read"),
        "cache_write_tokens": written,
        "cache_write_1h_tokens": hour,
        "reasoning_tokens": _tiered(made, "reasoning"),
    }
    _add(fields, "audio_input_tokens", count(given, "audio"))
    _add(fields, "audio_output_tokens", count(made, "audio"))
    add_ways(fields, (tier for tier in _TIERS if given(tier) or made(tier)))
    return whole(fields, count(read, "total_tokens"))


def plain_fields(read: Reader) -> Fields:
    """Read a usage of Pydantic AI or of outlay, or a dict with no more than the two counts."""
    # pydantic-ai RequestUsage and RunUsage (input includes the cache; before 1.0: request_tokens and
    # response_tokens), outlay.Usage and UsageEstimate. What Pydantic AI has no field for is in its details.
    details = reader(read("details"))
    fields = {
        "input_tokens": count(read, "input_tokens", "request_tokens"),
        "output_tokens": count(read, "output_tokens", "response_tokens"),
        "cache_read_tokens": count(read, "cache_read_tokens") or above_zero(details, *_READ_FLAT),
        "cache_write_tokens": count(read, "cache_write_tokens") or count(details, _WRITTEN_FLAT),
        "cache_write_1h_tokens": count(read, "cache_write_1h_tokens"),
        "reasoning_tokens": above_zero(read, "output_reasoning_tokens", "reasoning_tokens")
        or above_zero(details, "reasoning_tokens", "thoughts_tokens"),
    }
    sound = count(read, "input_audio_tokens") - count(read, "cache_audio_read_tokens")
    _add(fields, "audio_input_tokens", max(0, sound) or count(read, "audio_input_tokens"))
    _add(fields, "audio_output_tokens", above_zero(read, "output_audio_tokens", "audio_output_tokens"))
    _add_beside(fields, read, details)
    return whole(fields, count(read, "total_tokens"))


def _add_beside(fields: Fields, read: Reader, details: Reader) -> None:
    """Add what stands beside the tokens; the cost that Pydantic AI has is its own computation."""
    if read("output_reasoning_tokens") is not None:
        _add_details(fields, details)
        return
    add_beside(fields, read)
    cost = count(read, "cost_micros_usd")
    if cost:
        fields["cost_micros_usd"] = cost
    units: Any = read("units")
    if isinstance(units, dict):
        counted = reader(units)
        for name in units:
            add_unit(fields, name, count(counted, name))
    billed: Any = read("billed_as")
    if isinstance(billed, list | tuple):
        add_ways(fields, billed)


def _add_details(fields: Fields, details: Reader) -> None:
    cited = count(details, "citation_tokens")
    if cited:
        # Perplexity, "Pricing": deep research bills both beside the two counts.
        fields["input_tokens"] += cited
        fields["output_tokens"] += fields["reasoning_tokens"]
    add_beside(fields, details)
    for name, unit in _UNITS.items():
        if details(name):
            add_unit(fields, unit, count(details, name))


def _add(fields: Fields, name: str, tokens: int) -> None:
    if tokens:
        fields[name] = tokens


def _tiered(details: Reader, name: str) -> int:
    return count(details, name) + count(details, f"priority_{name}") + count(details, f"flex_{name}")
