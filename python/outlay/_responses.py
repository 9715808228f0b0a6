"""Reads what a model call used out of whatever the provider or the framework returned.

Everything is read by name, from attributes or from dictionary keys, so that no vendor is imported and a
response that was stored as JSON reads like the object it came from. The counts follow one rule: `input`
includes what was read from and written to a cache, `output` includes reasoning.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from outlay._core import PriceTable, Usage, UsageEstimate
from outlay._errors import InvalidAmount, PolicyError

UsageT = TypeVar("UsageT", bound=Usage)

Fields = dict[str, int]

_ACCEPTED = (
    "a response or usage of OpenAI (chat, responses), Anthropic or Gemini, a LangChain message or result, "
    "a pydantic-ai usage or result, an outlay.Usage, or a dict of one of these shapes"
)


def usage_from_response(
    cls: type[UsageT],
    obj: Any,
    *,
    model: str | None = None,
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
) -> UsageT:
    """Make a `Usage` of a response: this is `Usage.from_response`.

    Args:
        cls: The class to make, `Usage` or a subclass of it.
        obj: The response of the provider or the framework, its usage, or either as a dict.
        model: The name under which to look the price up; default: the name in the response.
        prices: USD per million tokens, as text, by model; None leaves the cost at 0.

    Returns:
        The usage, with its cost in micro-USD where prices are given.

    Raises:
        InvalidAmount: The object carries no usage, or a count in it is no whole number.
        PolicyError: Prices are given, and the model is unknown or has no price.

    """
    fields = usage_fields(obj, model)
    if fields is None:
        raise InvalidAmount(f"obj: {type(obj).__name__} carries no usage; accepted is {_ACCEPTED}")
    if prices is None:
        return cls(**fields)
    name = model if model is not None else model_name(obj)
    if name is None:
        raise PolicyError("model: the response does not name its model; give model= to price it")
    table = prices if isinstance(prices, PriceTable) else PriceTable(prices)
    fields["cost_micros_usd"] = table.cost(name, cls(**fields))
    return cls(**fields)


def usage_fields(obj: Any, model: str | None = None) -> Fields | None:  # noqa: ARG001
    """Find the usage in a response and bring it to the names of `Usage`.

    Args:
        obj: The response of the provider or the framework, its usage, or either as a dict.
        model: The name of the model; no shape depends on it today.

    Returns:
        Keyword arguments for `Usage`, or None if the object carries no usage.

    Raises:
        InvalidAmount: A count is no whole number.

    """
    for place in _PLACES:
        fields = place(obj)
        if fields is not None:
            return fields
    return _shape(obj)


def model_name(obj: Any) -> str | None:
    """Return the name of the model that a response carries, or None.

    Args:
        obj: The response of the provider or the framework, or the same as a dict.

    """
    # "model": OpenAI, Anthropic. "model_version": Gemini. "model_name": LangChain, pydantic-ai.
    for name in ("model", "model_name", "model_version", "modelVersion"):
        value = _get(obj, name)
        if isinstance(value, str) and value:
            return value
    for inner in ("response_metadata", "llm_output", "message", "response"):
        value = _get(obj, inner)
        if value is not None and not callable(value) and (found := model_name(value)) is not None:
            return found
    generation = _first_generation(obj)
    return None if generation is None else model_name(generation)


def as_usage(said: Usage | UsageEstimate) -> Usage:
    """Return an estimate as the usage that it stands for."""
    if isinstance(said, Usage):
        return said
    names = ("input_tokens", "output_tokens", "total_tokens", "cost_micros_usd")
    return Usage(**{name: getattr(said, name) for name in names})


def times(said: Usage | UsageEstimate, count: int) -> Usage:
    """Return a usage, or what an estimate stands for, so many times."""
    usage = as_usage(said)
    total = usage
    for _ in range(count - 1):
        total += usage
    return total


# Places: where a response keeps its usage.


def _in_usage_metadata(obj: Any) -> Fields | None:
    # LangChain messages (langchain_core.messages.ai.UsageMetadata) and Gemini responses (google-genai:
    # usage_metadata, REST: usageMetadata) use the same name for different shapes.
    for name in ("usage_metadata", "usageMetadata"):
        usage = _get(obj, name)
        if usage is not None:
            return _shape(usage, langchain=True)
    return None


def _in_usage(obj: Any) -> Fields | None:
    # OpenAI ChatCompletion and Response, Anthropic Message, pydantic-ai ModelResponse: .usage;
    # pydantic-ai AgentRunResult: .usage().
    usage = _get(obj, "usage")
    if callable(usage) and not isinstance(usage, type):
        usage = usage()
    return None if usage is None else _shape(usage)


def _in_envelope(obj: Any) -> Fields | None:
    # Events of a stream: OpenAI response.completed keeps the whole response in .response, Anthropic
    # message_start the message in .message; so does a LangChain ChatGeneration.
    for name in ("message", "response"):
        inner = _get(obj, name)
        if inner is not None and not isinstance(inner, str) and not callable(inner):
            fields = usage_fields(inner)
            if fields is not None:
                return fields
    return None


def _in_generations(obj: Any) -> Fields | None:
    # LangChain: ChatResult.generations is a list, LLMResult.generations a list of lists, one per prompt.
    generations = _get(obj, "generations")
    if not isinstance(generations, list | tuple) or not generations:
        return None
    prompts = generations if isinstance(generations[0], list | tuple) else [generations]
    found = [_of_one_prompt(prompt) for prompt in prompts]
    if any(fields is None for fields in found):
        return _in_metadata(obj)
    return _sum(fields for fields in found if fields is not None)


def _in_metadata(obj: Any) -> Fields | None:
    # LangChain integrations without usage_metadata keep the provider's own usage in response_metadata
    # (messages) or llm_output (results), as "token_usage" or "usage".
    for holder in ("response_metadata", "llm_output"):
        metadata = _get(obj, holder)
        for name in ("token_usage", "usage"):
            usage = _get(metadata, name)
            fields = None if usage is None else _shape(usage)
            if fields is not None:
                return fields
    return None


_PLACES: tuple[Callable[[Any], Fields | None], ...] = (
    _in_generations,
    _in_usage_metadata,
    _in_usage,
    _in_metadata,
    _in_envelope,
)


def _of_one_prompt(generations: Iterable[Any]) -> Fields | None:
    found = [usage_fields(_get(generation, "message") or generation) for generation in generations]
    known = [fields for fields in found if fields is not None]
    # Several choices of one response each repeat the usage of the whole response.
    if known and all(fields == known[0] for fields in known):
        return known[0]
    return _sum(known) if known else None


def _first_generation(obj: Any) -> Any:
    generations = _get(obj, "generations")
    while isinstance(generations, list | tuple):
        generations = generations[0] if generations else None
    return generations


# Shapes: how a usage names its counts.


def _shape(usage: Any, *, langchain: bool = False) -> Fields | None:
    if _has(usage, "prompt_tokens"):
        return _openai_chat(usage)
    if _has(
        usage, "prompt_token_count", "promptTokenCount", "candidates_token_count", "candidatesTokenCount"
    ):
        return _gemini(usage)
    if not _has(usage, "input_tokens", "output_tokens", "request_tokens", "response_tokens"):
        return None
    if _has(usage, "input_tokens_details", "output_tokens_details") and not _is_anthropic(usage):
        return _openai_responses(usage)
    if _is_anthropic(usage) and not langchain:
        return _anthropic(usage)
    if langchain or _has(usage, "input_token_details", "output_token_details"):
        return _langchain(usage)
    return _plain(usage)


_APART = frozenset({"compaction", "advisor_message"})


def _is_anthropic(usage: Any) -> bool:
    return _has(usage, "cache_creation_input_tokens", "cache_read_input_tokens")


def _openai_chat(usage: Any) -> Fields:
    # OpenAI, "The chat completion object": prompt_tokens includes cached_tokens, completion_tokens
    # includes reasoning_tokens. Embeddings have no completion_tokens.
    prompt = _get(usage, "prompt_tokens_details")
    completion = _get(usage, "completion_tokens_details")
    return _fields(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        total=_count(usage, "total_tokens"),
        cache_read=_count(prompt, "cached_tokens"),
        cache_write=_count(prompt, "cache_write_tokens"),
        reasoning=_count(completion, "reasoning_tokens"),
    )


def _openai_responses(usage: Any) -> Fields:
    # OpenAI, "The response object": the same sums as chat, under other names.
    given = _get(usage, "input_tokens_details")
    made = _get(usage, "output_tokens_details")
    return _fields(
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        total=_count(usage, "total_tokens"),
        cache_read=_count(given, "cached_tokens"),
        cache_write=_count(given, "cache_write_tokens"),
        reasoning=_count(made, "reasoning_tokens", "thinking_tokens"),
    )


def _anthropic(usage: Any) -> Fields:
    # Anthropic, "Prompt caching": input_tokens is only what follows the last cache breakpoint; the whole
    # input is cache_read_input_tokens + cache_creation_input_tokens + input_tokens.
    # What its own compactions and advisors use is in `iterations` and in none of the counts above them.
    apart = [one for one in _get(usage, "iterations") or () if _get(one, "type") in _APART]
    read = sum(_count(one, "cache_read_input_tokens") for one in (usage, *apart))
    written = sum(_count(one, "cache_creation_input_tokens") for one in (usage, *apart))
    return _fields(
        sum(_count(one, "input_tokens") for one in (usage, *apart)) + read + written,
        sum(_count(one, "output_tokens") for one in (usage, *apart)),
        cache_read=read,
        cache_write=written,
        reasoning=_count(_get(usage, "output_tokens_details"), "thinking_tokens"),
    )


def _gemini(usage: Any) -> Fields:
    # Gemini API, "UsageMetadata": the prompt includes cached content, candidates exclude thoughts, and
    # tool_use_prompt counts what tools of the provider put into the prompt. REST writes camelCase.
    thoughts = _count(usage, "thoughts_token_count", "thoughtsTokenCount")
    given = _count(usage, "prompt_token_count", "promptTokenCount")
    tools = _count(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    # The Live API names its answer otherwise.
    made = _count(
        usage, "candidates_token_count", "candidatesTokenCount", "response_token_count", "responseTokenCount"
    )
    return _fields(
        given + tools,
        made + thoughts,
        total=_count(usage, "total_token_count", "totalTokenCount"),
        cache_read=_count(usage, "cached_content_token_count", "cachedContentTokenCount"),
        reasoning=thoughts,
    )


def _langchain(usage: Any) -> Fields:
    # langchain_core.messages.ai.UsageMetadata: input includes the cache, output includes reasoning. A
    # service tier ("priority", "flex") prefixes the details of langchain-openai; langchain-anthropic
    # splits what was written by lifetime and may leave the sum at 0.
    given = _get(usage, "input_token_details")
    made = _get(usage, "output_token_details")
    written = _tiers(given, "cache_creation")
    split = _count(given, "ephemeral_5m_input_tokens") + _count(given, "ephemeral_1h_input_tokens")
    return _fields(
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        total=_count(usage, "total_tokens"),
        cache_read=_tiers(given, "cache_read"),
        cache_write=max(written, split),
        reasoning=_tiers(made, "reasoning"),
    )


def _plain(usage: Any) -> Fields:
    # pydantic-ai RequestUsage and RunUsage (input includes the cache; before 1.0: request_tokens and
    # response_tokens), outlay.Usage and UsageEstimate, and dicts with no more than the two counts.
    details = _get(usage, "details")
    reasoning = _count(usage, "reasoning_tokens") or _count(details, "reasoning_tokens")
    fields = _fields(
        _count(usage, "input_tokens", "request_tokens"),
        _count(usage, "output_tokens", "response_tokens"),
        total=_count(usage, "total_tokens"),
        cache_read=_count(usage, "cache_read_tokens"),
        cache_write=_count(usage, "cache_write_tokens"),
        reasoning=reasoning,
    )
    cost = _count(usage, "cost_micros_usd")
    return {**fields, "cost_micros_usd": cost} if cost else fields


def _fields(
    given: int, made: int, *, total: int = 0, cache_read: int = 0, cache_write: int = 0, reasoning: int = 0
) -> Fields:
    fields = {
        "input_tokens": given,
        "output_tokens": made,
        "cache_read_tokens": cache_read,
        "cache_write_tokens": cache_write,
        "reasoning_tokens": reasoning,
    }
    # A total above the sum counts tokens that the provider bills but does not itemise (some leave
    # reasoning out of the output); a total below it is a provider's slip and would undercount.
    if total > given + made:
        fields["total_tokens"] = total
    return fields


def _sum(many: Iterable[Fields]) -> Fields:
    total: Fields = {}
    for fields in many:
        # A sum of totals is only right where every part has one.
        whole = {"total_tokens": fields["input_tokens"] + fields["output_tokens"], **fields}
        for name, count in whole.items():
            total[name] = total.get(name, 0) + count
    return total


# Reading by name.


def _get(obj: Any, name: str) -> Any:
    if obj is None:
        return None
    # The plain dict first: the abstract test is slow, and this is asked some thirty times a response.
    if isinstance(obj, dict) or isinstance(obj, Mapping):  # noqa: SIM101
        return obj.get(name)
    return getattr(obj, name, None)


def _has(obj: Any, *names: str) -> bool:
    return any(_get(obj, name) is not None for name in names)


def _count(obj: Any, *names: str) -> int:
    for name in names:
        value = _get(obj, name)
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


def _tiers(details: Any, name: str) -> int:
    return sum(_count(details, f"{tier}{name}") for tier in ("", "priority_", "flex_"))


# Given to the class here and not in Rust: Python code under a Rust frame could not end with the interpreter.
setattr(Usage, "from_response", classmethod(usage_from_response))  # noqa: B010 (the stub declares it)
