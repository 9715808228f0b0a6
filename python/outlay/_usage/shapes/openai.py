"""The usages of OpenAI, and of the many that speak its API."""

from __future__ import annotations

from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.beside import add_beside
from outlay._usage.shapes.reading import Reader, above_zero, count, reader
from outlay._usage.shapes.whole import whole

_HOUR = "ephemeral_1h_input_tokens"
# OpenAI, "The chat completion object", "The response object", "Realtime: response.done", "Create
# transcription"; Mistral, "Chat completion" (prompt_token_details).
_GIVEN_DETAILS = (
    *("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details"),
)
_MADE_DETAILS = (
    *("completion_tokens_details", "output_tokens_details", "output_token_details"),
    "completion_token_details",
)
# In the details: OpenAI; Perplexity, "Agent API".
_READ = ("cached_tokens", "cache_read_input_tokens")
# In the details: OpenAI; LiteLLM; Alibaba Cloud, "Context Cache".
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
# Beside the counts, where no details say it: DeepSeek, "Create Chat Completion"; Moonshot, "Chat"; Claude
# behind gateways; Mistral.
_READ_FLAT = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens", "num_cached_tokens")
_WRITTEN_FLAT = ("cache_creation_input_tokens", "cache_write_tokens")


def openai_fields(read: Reader) -> Fields:
    """Read a usage of chat completions, responses, realtime, embeddings, images or transcriptions.

    The input includes what was read from and written to a cache, the output includes reasoning.
    """
    fields = {
        "input_tokens": count(read, "prompt_tokens", "input_tokens"),
        "output_tokens": count(read, "completion_tokens", "output_tokens"),
    }
    _read_input(fields, read)
    _read_output(fields, read)
    beside = _research(fields, read)
    add_beside(fields, read)
    total = count(read, "total_tokens")
    if not fields["input_tokens"] and not fields["output_tokens"]:
        # LiteLLM makes this of a usage that has a total and no more (Voyage AI).
        fields["input_tokens"] = total
    return whole(fields, total, beside=beside)


def _details(read: Reader, names: tuple[str, ...]) -> Any:
    for name in names:
        found = read(name)
        if found is not None:
            return found
    return None


def _read_input(fields: Fields, read: Reader) -> None:
    details = _details(read, _GIVEN_DETAILS)
    nested = reader(details)
    cached, written, hour = 0, 0, 0
    if details is not None:
        cached, written = above_zero(nested, *_READ), above_zero(nested, *_WRITTEN)
        hour = _kept_long(nested)
        sound = count(nested, "audio_tokens")
        if sound:
            # The sound among what was cached has the price of what was cached.
            sound -= count(reader(nested("cached_tokens_details")), "audio_tokens")
            fields["audio_input_tokens"] = max(0, sound)
    cached = cached or above_zero(read, *_READ_FLAT)
    written = written or above_zero(read, *_WRITTEN_FLAT)
    if cached:
        fields["cache_read_tokens"] = cached
    if written or hour:
        hour = hour or count(reader(read("cache_creation")), _HOUR)
        fields["cache_write_tokens"] = written
        if hour:
            fields["cache_write_1h_tokens"] = hour
    if fields["input_tokens"] and cached + written > fields["input_tokens"]:
        # A gateway that counts as Anthropic does: they stand beside the input.
        fields["input_tokens"] += cached + written


def _kept_long(nested: Reader) -> int:
    """Return how much was written for longer than usual: an hour of Anthropic, 12 hours of OpenAI."""
    split = nested("cache_creation_token_details")
    if split is None:
        split = nested("cache_write_tokens_details")
    return 0 if split is None else count(reader(split), _HOUR, "ttl_12h_tokens")


def _read_output(fields: Fields, read: Reader) -> None:
    details = _details(read, _MADE_DETAILS)
    reasoning = 0
    if details is not None:
        nested = reader(details)
        reasoning = above_zero(nested, "reasoning_tokens", "thinking_tokens")
        sound = count(nested, "audio_tokens")
        if sound:
            fields["audio_output_tokens"] = sound
    # SGLang and Perplexity have no details.
    reasoning = reasoning or count(read, "reasoning_tokens")
    if reasoning:
        fields["reasoning_tokens"] = reasoning


def _research(fields: Fields, read: Reader) -> int:
    """Add what deep research is billed for beside its counts, and return how much of it no total has."""
    # Perplexity, "Pricing": what it reads and thinks is billed beside the two counts.
    if read("citation_tokens") is None:
        return 0
    cited, reasoning = count(read, "citation_tokens"), fields.get("reasoning_tokens", 0)
    counted = fields["input_tokens"] + fields["output_tokens"] + reasoning == count(read, "total_tokens")
    fields["input_tokens"] += cited
    fields["output_tokens"] += reasoning
    return cited if counted else cited + reasoning
