"""The usages of Gemini: of `generateContent`, of the Live API and of interactions."""

from __future__ import annotations

from typing import Any, NamedTuple

from outlay._usage.fields import Fields
from outlay._usage.shapes.beside import add_ways
from outlay._usage.shapes.reading import Reader, count, reader
from outlay._usage.shapes.whole import whole

#: A usage with one of these is Gemini's; Llama on Bedrock has the first, too.
GEMINI = ("promptTokenCount", "candidatesTokenCount", "prompt_token_count", "candidates_token_count")
#: A usage with one of these is of interactions.
INTERACTIONS = ("total_input_tokens", "total_output_tokens")
_SOUND = "AUDIO"


class _Names(NamedTuple):
    given: str
    #: The Live API names its answer otherwise. The last is of Llama on Bedrock.
    made: tuple[str, ...]
    thoughts: str
    tools: str
    cached: str
    total: str
    tier: str
    traffic: str
    given_details: str
    tools_details: str
    cached_details: str
    made_details: tuple[str, ...]


# Gemini API and Vertex AI, "UsageMetadata"; google-genai, GenerateContentResponseUsageMetadata; Bedrock,
# "Meta Llama models".
_REST = _Names(
    given="promptTokenCount",
    made=("candidatesTokenCount", "responseTokenCount"),
    thoughts="thoughtsTokenCount",
    tools="toolUsePromptTokenCount",
    cached="cachedContentTokenCount",
    total="totalTokenCount",
    tier="serviceTier",
    traffic="trafficType",
    given_details="promptTokensDetails",
    tools_details="toolUsePromptTokensDetails",
    cached_details="cacheTokensDetails",
    made_details=("candidatesTokensDetails", "responseTokensDetails"),
)
_SDK = _Names(
    given="prompt_token_count",
    made=("candidates_token_count", "response_token_count", "generation_token_count"),
    thoughts="thoughts_token_count",
    tools="tool_use_prompt_token_count",
    cached="cached_content_token_count",
    total="total_token_count",
    tier="service_tier",
    traffic="traffic_type",
    given_details="prompt_tokens_details",
    tools_details="tool_use_prompt_tokens_details",
    cached_details="cache_tokens_details",
    made_details=("candidates_tokens_details", "response_tokens_details"),
)


def gemini_fields(read: Reader) -> Fields:
    """Read a usage of `generateContent`, in the names of REST or of the SDK.

    The prompt includes cached content, the candidates exclude thoughts. What tools of the provider put into
    the prompt stands beside it.
    """
    rest = read("promptTokenCount") is not None or read("candidatesTokenCount") is not None
    names = _REST if rest else _SDK
    thoughts, cached = count(read, names.thoughts), count(read, names.cached)
    made = count(read, *names.made)
    fields = {
        "input_tokens": count(read, names.given) + count(read, names.tools),
        "output_tokens": made + thoughts,
    }
    if cached:
        fields["cache_read_tokens"] = cached
    if thoughts:
        fields["reasoning_tokens"] = thoughts
    _add_sound(fields, read, names)
    way = read(names.tier) or read(names.traffic)
    if way is not None:
        add_ways(fields, (way,))
    return whole(fields, count(read, names.total))


def interactions_fields(read: Reader) -> Fields:
    """Read a usage of interactions: thoughts and what tools put into the prompt stand beside the counts."""
    thoughts = count(read, "total_thought_tokens", "total_reasoning_tokens")
    fields = {
        "input_tokens": count(read, "total_input_tokens") + count(read, "total_tool_use_tokens"),
        "output_tokens": count(read, "total_output_tokens") + thoughts,
        "cache_read_tokens": count(read, "total_cached_tokens"),
        "reasoning_tokens": thoughts,
    }
    _set(fields, "audio_input_tokens", _sound(read("input_tokens_by_modality"), "tokens"))
    _set(fields, "audio_output_tokens", _sound(read("output_tokens_by_modality"), "tokens"))
    return whole(fields, count(read, "total_tokens"))


def _add_sound(fields: Fields, read: Reader, names: _Names) -> None:
    prompt = read(names.given_details)
    if prompt:
        sound = _sound(prompt) + _sound(read(names.tools_details))
        if sound:
            # The sound among what was cached has the price of what was cached.
            _set(fields, "audio_input_tokens", max(0, sound - _sound(read(names.cached_details))))
    for name in names.made_details:
        made = read(name)
        if made:
            _set(fields, "audio_output_tokens", _sound(made))


def _sound(details: Any, name: str = "tokenCount") -> int:
    """Return how much of a list of modalities is sound."""
    if not isinstance(details, list):
        return 0
    total = 0
    for one in details:
        read = reader(one)
        modality = read("modality")
        if isinstance(modality, str) and modality.upper() == _SOUND:
            total += count(read, name, "token_count")
    return total


def _set(fields: Fields, name: str, tokens: int) -> None:
    if tokens:
        fields[name] = tokens
