"""The reading of usage from the response of a provider or a framework.

Everything is read by name, from attributes or from dictionary keys. So no vendor is imported, and a response
that was stored as JSON reads like the original object. This module finds the usage in a response;
`outlay._usage.shapes` reads its counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from outlay._attach import attach
from outlay._core import PriceTable, Usage, UsageEstimate
from outlay._errors import InvalidAmount, PolicyError
from outlay._usage.fields import Fields, added
from outlay._usage.shapes import get, shape_fields

UsageT = TypeVar("UsageT", bound=Usage)

_log = logging.getLogger("outlay")
# The provider bills the call: an unreadable count must lose neither the response nor the charge.
UNREADABLE = "the usage of a response cannot be booked, so its estimate is booked: %s"

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
    fields = usage_fields(obj, model)
    if fields is None:
        raise InvalidAmount(f"obj: a {type(obj).__name__} has no usage that can be read; give {_ACCEPTED}")
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
    return shape_fields(obj)


def known_fields(response: Any) -> Fields | None:
    """Read the usage of a response; None if it has none that can be booked."""
    try:
        fields = usage_fields(response)
    except Exception as error:
        # A function may return any object, and its attributes and methods may do anything.
        _log.warning(UNREADABLE, error)
        return None
    # No real call uses nothing: a usage of zeros is a provider that does not count.
    if fields is None or not (fields["input_tokens"] or fields["output_tokens"]):
        return None
    return fields


def model_name(obj: Any) -> str | None:
    """Return the name of the model that a response carries, or None.

    Args:
        obj: The response of the provider or the framework, or the same as a dict.

    """
    # "model": OpenAI, Anthropic. "model_version": Gemini. "model_name": LangChain, pydantic-ai.
    for name in ("model", "model_name", "model_version", "modelVersion"):
        value = get(obj, name)
        if isinstance(value, str) and value:
            return value
    for inner in ("response_metadata", "llm_output", "message", "response"):
        value = get(obj, inner)
        if value is not None and not callable(value) and (found := model_name(value)) is not None:
            return found
    generation = _first_generation(obj)
    return None if generation is None else model_name(generation)


def as_usage(said: Usage | UsageEstimate) -> Usage:
    """Return an estimate as the usage that it stands for."""
    return said if isinstance(said, Usage) else Usage(**counts_of(said))


def counts_of(said: Usage | UsageEstimate) -> Fields:
    """Return all counts of a usage or an estimate, by their names."""
    counts: Fields = said.__getnewargs_ex__()[1]
    return counts


def with_input(fields: Fields, estimated: int) -> Fields:
    """Return a usage with its input: no generation has output and no input.

    Some servers report 0 for the input, and some streams lose it. The input is then the total without the
    output, or else the estimate.

    Args:
        fields: What the response said.
        estimated: What was reserved for the input.

    """
    made = fields.get("output_tokens", 0)
    if not made or fields.get("input_tokens"):
        return fields
    beside = max(fields.get("total_tokens", 0) - made, 0)
    whole = {name: number for name, number in fields.items() if name != "total_tokens"}
    return {**whole, "input_tokens": beside or estimated}


def times(said: Usage | UsageEstimate, count: int) -> Usage:
    """Return a usage, or what an estimate stands for, so many times."""
    usage = as_usage(said)
    total = usage
    for _ in range(count - 1):
        total = plus(total, usage)
    return total


def plus(one: Usage, other: Usage) -> Usage:
    """Return the sum; above 2**64, which no call uses, the larger of the two: it must never raise."""
    try:
        return one + other
    except InvalidAmount:
        return max(one, other, key=lambda usage: usage.total_tokens)


# Places: where a response keeps its usage.


def _in_usage_metadata(obj: Any) -> Fields | None:
    # LangChain messages (langchain_core.messages.ai.UsageMetadata) and Gemini responses (google-genai:
    # usage_metadata, REST: usageMetadata) use the same name for different shapes.
    for name in ("usage_metadata", "usageMetadata"):
        usage = get(obj, name)
        if usage is not None:
            return shape_fields(usage, langchain=True)
    return None


def _in_usage(obj: Any) -> Fields | None:
    # OpenAI ChatCompletion and Response, Anthropic Message, pydantic-ai ModelResponse: .usage;
    # pydantic-ai AgentRunResult: .usage().
    usage = get(obj, "usage")
    if callable(usage) and not isinstance(usage, type):
        usage = usage()
    return None if usage is None else shape_fields(usage)


def _in_envelope(obj: Any) -> Fields | None:
    # Events of a stream: OpenAI response.completed keeps the whole response in .response, Anthropic
    # message_start the message in .message; so does a LangChain ChatGeneration.
    for name in ("message", "response"):
        inner = get(obj, name)
        if inner is not None and not isinstance(inner, str) and not callable(inner):
            fields = usage_fields(inner)
            if fields is not None:
                return fields
    return None


def _in_generations(obj: Any) -> Fields | None:
    # LangChain: ChatResult.generations is a list, LLMResult.generations a list of lists, one per prompt.
    generations = get(obj, "generations")
    if not isinstance(generations, list | tuple) or not generations:
        return None
    prompts = generations if isinstance(generations[0], list | tuple) else [generations]
    found = [_prompt_usage(prompt) for prompt in prompts]
    if any(fields is None for fields in found):
        return _in_metadata(obj)
    return _sum(fields for fields in found if fields is not None)


def _in_metadata(obj: Any) -> Fields | None:
    # LangChain integrations without usage_metadata keep the provider's own usage in response_metadata
    # (messages) or llm_output (results), as "token_usage" or "usage".
    for holder in ("response_metadata", "llm_output"):
        metadata = get(obj, holder)
        for name in ("token_usage", "usage"):
            usage = get(metadata, name)
            fields = None if usage is None else shape_fields(usage)
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


def _prompt_usage(generations: Iterable[Any]) -> Fields | None:
    found = [usage_fields(get(generation, "message") or generation) for generation in generations]
    known = [fields for fields in found if fields is not None]
    # Several choices of one response each repeat the usage of the whole response.
    if known and all(fields == known[0] for fields in known):
        return known[0]
    return _sum(known) if known else None


def _first_generation(obj: Any) -> Any:
    generations = get(obj, "generations")
    while isinstance(generations, list | tuple):
        generations = generations[0] if generations else None
    return generations


def _sum(many: Iterable[Fields]) -> Fields:
    total: Fields = {}
    for fields in many:
        # A sum of totals is only right where every part has one.
        whole = {"total_tokens": fields["input_tokens"] + fields["output_tokens"], **fields}
        total = added(total, whole)
    return total


# Given to the class here and not in Rust: Python code under a Rust frame could not end with the interpreter.
attach(Usage, "from_response", usage_from_response, classmethod)
