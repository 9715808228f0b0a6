"""The shapes of usages: each provider's and framework's names of the counts are mapped to those of `Usage`.

Everything is read by name, from attributes or from dictionary keys. In the result, the input includes cache
reads and cache writes, and the output includes reasoning.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

from outlay._core import Usage, UsageEstimate
from outlay._errors import InvalidAmount
from outlay._usage.fields import Fields


class _Details(NamedTuple):
    """The counts that are contained in the input or the output."""

    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0


def shape_fields(usage: Any, *, langchain: bool = False) -> Fields | None:
    """Bring a usage to the names of `Usage`.

    Args:
        usage: The usage itself, as an object or a dict.
        langchain: Whether LangChain stored it, in its own place.

    Returns:
        Keyword arguments for `Usage`, or None if it is no usage.

    Raises:
        InvalidAmount: A count is no whole number.

    """
    if has(usage, "prompt_tokens", "completion_tokens"):
        return _openai_chat(usage)
    if has(usage, "prompt_token_count", "promptTokenCount", "candidates_token_count", "candidatesTokenCount"):
        return _gemini(usage)
    if not has(usage, "input_tokens", "output_tokens", "request_tokens", "response_tokens"):
        return None
    if has(usage, "input_tokens_details", "output_tokens_details") and not _is_anthropic(usage):
        return _openai_responses(usage)
    if _is_anthropic(usage) and not langchain:
        return _anthropic(usage)
    if langchain or has(usage, "input_token_details", "output_token_details"):
        return _langchain(usage)
    return _plain(usage)


_HOUR = "ephemeral_1h_input_tokens"
_APART = ("compaction", "advisor_message")


def _is_anthropic(usage: Any) -> bool:
    if has(usage, "cache_creation_input_tokens", "cache_read_input_tokens"):
        return True
    # Nobody else has these; what LiteLLM makes of Anthropic's usage has details of the input beside them.
    return has(usage, "iterations", "cache_creation", "server_tool_use") and not has(
        usage, "input_tokens_details"
    )


def _openai_chat(usage: Any) -> Fields:
    # OpenAI, "The chat completion object": prompt_tokens includes cached_tokens, completion_tokens
    # includes reasoning_tokens. Embeddings have no completion_tokens.
    prompt = get(usage, "prompt_tokens_details")
    completion = get(usage, "completion_tokens_details")
    return _fields(
        count(usage, "prompt_tokens"),
        count(usage, "completion_tokens"),
        total=count(usage, "total_tokens"),
        details=_Details(
            cache_read=count(prompt, "cached_tokens"),
            cache_write=count(prompt, "cache_write_tokens"),
            # LiteLLM's, of Anthropic's models.
            cache_write_1h=count(get(prompt, "cache_creation_token_details"), _HOUR),
            reasoning=count(completion, "reasoning_tokens"),
        ),
    )


def _openai_responses(usage: Any) -> Fields:
    # OpenAI, "The response object": the same sums as chat, under other names.
    given = get(usage, "input_tokens_details")
    made = get(usage, "output_tokens_details")
    return _fields(
        count(usage, "input_tokens"),
        count(usage, "output_tokens"),
        total=count(usage, "total_tokens"),
        details=_Details(
            cache_read=count(given, "cached_tokens"),
            cache_write=count(given, "cache_write_tokens"),
            reasoning=count(made, "reasoning_tokens", "thinking_tokens"),
        ),
    )


def _anthropic(usage: Any) -> Fields:
    # Anthropic, "Prompt caching": input_tokens is only what follows the last cache breakpoint; the whole
    # input is cache_read_input_tokens + cache_creation_input_tokens + input_tokens.
    # What its own compactions and advisors use is in `iterations` and in none of the counts above them.
    # An event of a stream may leave out the counts above them: those of its turns are there then.
    iterations = list(get(usage, "iterations") or ())
    apart = [one for one in iterations if get(one, "type") in _APART]
    turns = [one for one in iterations if get(one, "type") not in _APART]

    def whole(name: str) -> int:
        return sum(count(one, name) for one in ([usage] if has(usage, name) else turns) + apart)

    read = whole("cache_read_input_tokens")
    splits = [get(one, "cache_creation") for one in (usage, *apart)]
    written = max(
        whole("cache_creation_input_tokens"),
        sum(count(split, "ephemeral_5m_input_tokens") + count(split, _HOUR) for split in splits),
    )
    return _fields(
        whole("input_tokens") + read + written,
        whole("output_tokens"),
        details=_Details(
            cache_read=read,
            cache_write=written,
            cache_write_1h=sum(count(split, _HOUR) for split in splits),
            reasoning=count(get(usage, "output_tokens_details"), "thinking_tokens"),
        ),
    )


def _gemini(usage: Any) -> Fields:
    # Gemini API, "UsageMetadata": the prompt includes cached content, candidates exclude thoughts, and
    # tool_use_prompt counts what tools of the provider put into the prompt. REST writes camelCase.
    thoughts = count(usage, "thoughts_token_count", "thoughtsTokenCount")
    given = count(usage, "prompt_token_count", "promptTokenCount")
    tools = count(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    # The Live API names its answer otherwise.
    made = count(
        usage, "candidates_token_count", "candidatesTokenCount", "response_token_count", "responseTokenCount"
    )
    return _fields(
        given + tools,
        made + thoughts,
        total=count(usage, "total_token_count", "totalTokenCount"),
        details=_Details(
            cache_read=count(usage, "cached_content_token_count", "cachedContentTokenCount"),
            reasoning=thoughts,
        ),
    )


def _langchain(usage: Any) -> Fields:
    # langchain_core.messages.ai.UsageMetadata: input includes the cache, output includes reasoning. A
    # service tier ("priority", "flex") prefixes the details of langchain-openai; langchain-anthropic
    # splits what was written by lifetime and may leave the sum at 0.
    given = get(usage, "input_token_details")
    made = get(usage, "output_token_details")
    written = _tiered(given, "cache_creation")
    hour = count(given, _HOUR)
    split = count(given, "ephemeral_5m_input_tokens") + hour
    return _fields(
        count(usage, "input_tokens"),
        count(usage, "output_tokens"),
        total=count(usage, "total_tokens"),
        details=_Details(
            cache_read=_tiered(given, "cache_read"),
            cache_write=max(written, split),
            cache_write_1h=hour,
            reasoning=_tiered(made, "reasoning"),
        ),
    )


def _plain(usage: Any) -> Fields:
    # pydantic-ai RequestUsage and RunUsage (input includes the cache; before 1.0: request_tokens and
    # response_tokens), outlay.Usage and UsageEstimate, and dicts with no more than the two counts.
    details = get(usage, "details")
    reasoning = count(usage, "reasoning_tokens") or count(details, "reasoning_tokens")
    fields = _fields(
        count(usage, "input_tokens", "request_tokens"),
        count(usage, "output_tokens", "response_tokens"),
        total=count(usage, "total_tokens"),
        details=_Details(
            cache_read=count(usage, "cache_read_tokens"),
            cache_write=count(usage, "cache_write_tokens"),
            cache_write_1h=count(usage, "cache_write_1h_tokens"),
            reasoning=reasoning,
            audio_input=count(usage, "audio_input_tokens"),
            audio_output=count(usage, "audio_output_tokens"),
        ),
    )
    if cost := count(usage, "cost_micros_usd"):
        fields["cost_micros_usd"] = cost
    if isinstance(usage, Usage | UsageEstimate):
        fields |= {name: value for name in ("units", "billed_as") if (value := getattr(usage, name))}
    return fields


def _fields(given: int, made: int, *, details: _Details, total: int = 0) -> Fields:
    reasoning = details.reasoning
    # Reasoning that stands beside the output (xAI): there is more of it, or the total has it on top. Where it
    # is a part of the output, neither can be.
    if reasoning > made or (reasoning and total == given + made + reasoning):
        made += reasoning
    fields: Fields = {
        "input_tokens": given,
        "output_tokens": made,
        "cache_read_tokens": details.cache_read,
        "cache_write_tokens": max(details.cache_write, details.cache_write_1h),
        "cache_write_1h_tokens": details.cache_write_1h,
        "reasoning_tokens": details.reasoning,
    }
    # What most calls do not have.
    if details.audio_input:
        fields["audio_input_tokens"] = details.audio_input
    if details.audio_output:
        fields["audio_output_tokens"] = details.audio_output
    # A total above the sum counts tokens that the provider bills but does not itemise; a total below it is a
    # provider's slip and would undercount.
    if total > given + made:
        fields["total_tokens"] = total
    return fields


# Reading by name.


def get(obj: Any, name: str) -> Any:
    """Return what an object has under a name, as an attribute or a key; None where it has nothing."""
    if obj is None:
        return None
    # The plain dict first: the abstract test is slow, and this is asked some thirty times a response.
    if isinstance(obj, dict) or isinstance(obj, Mapping):  # noqa: SIM101
        return obj.get(name)
    return getattr(obj, name, None)


def has(obj: Any, *names: str) -> bool:
    """Return whether it has anything under one of the names."""
    return any(get(obj, name) is not None for name in names)


def count(obj: Any, *names: str) -> int:
    """Return the count under the first name that has one, else 0.

    Raises:
        InvalidAmount: It is no whole number, or negative.

    """
    for name in names:
        value = get(obj, name)
        if value is None:
            continue
        if isinstance(value, bool):
            raise InvalidAmount(f"{name}: a whole number of tokens is allowed, not {value!r}")
        try:
            count = operator.index(value)
        except TypeError:
            raise InvalidAmount(f"{name}: a whole number of tokens is allowed, not {value!r:.100}") from None
        if count < 0:
            raise InvalidAmount(f"{name}: 0 or more is allowed, not {count}")
        return count
    return 0


def _tiered(details: Any, name: str) -> int:
    return sum(count(details, f"{tier}{name}") for tier in ("", "priority_", "flex_"))
