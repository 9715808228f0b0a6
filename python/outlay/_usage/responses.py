"""The reading of usage from the response of a provider or a framework.

Everything is read by name, from attributes or from dictionary keys. So no vendor is imported, and a response
that was stored as JSON reads like the original object. `outlay._usage.places` finds the usage in a response,
and `outlay._usage.shapes` reads its counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from outlay._attach import attach
from outlay._core import PriceTable, Usage, UsageEstimate
from outlay._errors import InvalidAmount, PolicyError
from outlay._usage.billed import cost_to_book
from outlay._usage.fields import Fields
from outlay._usage.places import usage_fields
from outlay._usage.shapes import get
from outlay._usage.unread import report_unread

UsageT = TypeVar("UsageT", bound=Usage)

# The provider bills the call: an unreadable count must lose neither the response nor the charge.
UNREADABLE = "the usage of a response cannot be booked, so its estimate is booked: %s"
# What a usage may have without any input or output.
_BESIDE = ("total_tokens", "units", "cost_micros_usd")

_ACCEPTED = (
    "a response or usage of OpenAI (chat, responses, realtime), Anthropic, Gemini, Bedrock, Cohere, Voyage, "
    "Ollama or a server that speaks one of their APIs, a LangChain message or result, "
    "a pydantic-ai usage or result, an outlay.Usage, or a dict of one of these shapes"
)


def usage_from_response(
    cls: type[UsageT],
    obj: Any,
    *,
    model: str | None = None,
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
) -> UsageT:
    fields = usage_fields(obj)
    if fields is None:
        raise InvalidAmount(f"obj: a {type(obj).__name__} has no usage that can be read; give {_ACCEPTED}")
    if prices is None:
        return cls(**fields)
    name = model if model is not None else model_name(obj)
    if name is None:
        raise PolicyError("model: the response does not name its model; give model= to price it")
    table = prices if isinstance(prices, PriceTable) else PriceTable(prices)
    computed = table.cost(name, cls(**fields))
    fields["cost_micros_usd"] = cost_to_book("larger", fields.get("cost_micros_usd", 0), computed)
    return cls(**fields)


def known_fields(response: Any) -> Fields | None:
    """Read the usage of a response; None if it has none that can be booked.

    A usage that is not understood is logged, once for each shape and model.
    """
    try:
        fields = usage_fields(response)
    except Exception as error:
        # A function may return any object, and its attributes and methods may do anything.
        report_unread(response, model_name, error)
        return None
    if fields is None:
        report_unread(response, model_name)
        return None
    # No real call uses nothing: a usage of zeros is a provider that does not count.
    if fields["input_tokens"] or fields["output_tokens"] or any(map(fields.get, _BESIDE)):
        return fields
    return None


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


def _first_generation(obj: Any) -> Any:
    generations = get(obj, "generations")
    while isinstance(generations, list | tuple):
        generations = generations[0] if generations else None
    return generations


# Given to the class here and not in Rust: Python code under a Rust frame could not end with the interpreter.
attach(Usage, "from_response", usage_from_response, classmethod)
