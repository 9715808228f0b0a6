"""What stands on a bill beside tokens: units, how the call is billed, and what the provider says it cost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.reading import Reader, count, lacks, listed, reader

# OpenAI and Anthropic, "Service tiers"; Anthropic, "Data residency"; Groq, "Service Tiers"; Vertex AI,
# "TrafficType"; Bedrock, "ServiceTier". What is billed at the usual price, or was bought before.
_USUAL = frozenset(
    {
        *("standard", "default", "auto", "global", "not_available", "on_demand", "unspecified"),
        *("scale", "reserved", "provisioned_throughput", "traffic_type_unspecified"),
    }
)
_NAME = re.compile(r"[a-z0-9_.:-]{1,64}")
_TRAFFIC = "on_demand_"
_MICROS = Decimal(1_000_000)
# xAI, "Cost Tracking": 10**10 ticks are a dollar.
_TICKS_A_MICRO = 10_000
# In the usage: Perplexity, "Pricing"; xAI, "Live Search"; Mistral, "Audio & Transcription".
_COUNTED = {
    "num_search_queries": "web_search",
    "num_sources_used": "source",
    "prompt_audio_seconds": "audio_seconds",
}
# In the usage, by the name of the tool: Anthropic and OpenRouter; xAI, "Tools Overview".
_TOOLS = {"server_tool_use": "_requests", "server_side_tool_usage_details": "_calls"}
# Perplexity, "Agent API": {"search_web": {"invocation": 1}}.
_INVOKED = "tool_calls_details"
_INVOKED_AS = {"search_web": "web_search", "fetch_url": "web_fetch"}
_WAYS = ("service_tier", "speed", "inference_geo")
_COSTS = ("cost", "cost_in_usd_ticks", "estimated_cost")
_NAMES = frozenset((*_COUNTED, *_TOOLS, _INVOKED, *_WAYS, *_COSTS))
# OpenAI, "Web search" and "File search": the items of an answer that are billed by the call.
_CALLS = {"web_search_call": "web_search", "file_search_call": "file_search"}
# Gemini, "Grounding with Google Search": up to the models of version 2, a prompt is billed once.
_BILLED_BY_PROMPT = ("gemini-1", "gemini-2", "models/gemini-1", "models/gemini-2")


def add_beside(fields: Fields, read: Reader) -> None:
    """Add what a usage says beside its tokens.

    Args:
        fields: What was read from it so far.
        read: Reads the usage.

    """
    if lacks(read, _NAMES):
        return
    for name, unit in _COUNTED.items():
        if read(name):
            add_unit(fields, unit, count(read, name))
    for name, end in _TOOLS.items():
        tools = read(name)
        if tools is not None:
            for tool, calls in _items(tools):
                if tool.endswith(end) and calls:
                    add_unit(fields, tool.removesuffix(end).lower(), calls)
    _add_invoked(fields, read(_INVOKED))
    add_ways(fields, map(read, _WAYS))
    cost = _cost(read)
    if cost:
        fields["cost_micros_usd"] = cost


def add_answer(fields: Fields, read: Reader) -> Fields:
    """Add what an answer says beside its usage: how it is billed, and the searches in it.

    Args:
        fields: The usage.
        read: Reads the answer.

    """
    tier = read("service_tier")
    if tier is None:
        tier = read("serviceTier")
    if tier is not None:
        # Bedrock says {"type": "priority"}.
        add_ways(fields, (tier if isinstance(tier, str) else reader(tier)("type"),))
    kept = read("provider_details")
    if kept is not None:
        # Pydantic AI: what its models of OpenAI and OpenRouter keep beside the tokens.
        add_beside(fields, reader(kept))
    add_calls(fields, read("output"))
    candidates = read("candidates")
    if isinstance(candidates, list):
        _add_grounding(fields, candidates, read)
    return fields


def add_ways(fields: Fields, ways: Iterable[Any]) -> None:
    """Add how a call is billed; the usual way has no name."""
    for way in ways:
        if way is None or not isinstance(way, str):
            continue
        name = way.lower()
        if name not in _USUAL and name.removeprefix(_TRAFFIC) not in _USUAL and _NAME.fullmatch(name):
            billed = {*fields.get("billed_as", ()), name.removeprefix(_TRAFFIC)}
            fields["billed_as"] = tuple(sorted(billed))


def add_unit(fields: Fields, unit: str, number: int) -> None:
    """Add so many of a unit. A name that no price can have says nothing of the cost."""
    if number and _NAME.fullmatch(unit):
        units = fields.setdefault("units", {})
        units[unit] = units.get(unit, 0) + number


def _add_invoked(fields: Fields, tools: Any) -> None:
    read = reader(tools)
    for tool in _names(tools):
        if _NAME.fullmatch(tool):
            add_unit(fields, _INVOKED_AS.get(tool, tool), count(reader(read(tool)), "invocation"))


def _items(tools: Any) -> list[tuple[str, int]]:
    """Return the counts in an object, by their names."""
    read = reader(tools)
    return [(name, count(read, name)) for name in _names(tools)]


def _names(obj: Any) -> list[str]:
    """Return the names of what is in an object."""
    names = obj if isinstance(obj, Mapping) else getattr(obj, "__dict__", {})
    return [name for name in names if isinstance(name, str) and name[:1] not in ("", "_")]


def add_calls(fields: Fields, items: Any) -> None:
    """Add the calls of OpenAI's own tools among the items of an answer, if these are a list."""
    for item in items if isinstance(items, list) else ():
        read = reader(item)
        kind = read("type")
        unit = _CALLS.get(kind) if isinstance(kind, str) else None
        # To open a page that was found is no search.
        if unit is not None and reader(read("action"))("type") in (None, "search"):
            add_unit(fields, unit, 1)


def _add_grounding(fields: Fields, candidates: list[Any], answer: Reader) -> None:
    queries = 0
    for candidate in candidates:
        read = reader(candidate)
        found = reader(read("grounding_metadata") or read("groundingMetadata"))
        searched = listed(found("web_search_queries") or found("webSearchQueries"))
        queries += sum(1 for query in searched if query)
    version = answer("model_version") or answer("modelVersion")
    if queries and isinstance(version, str) and version.startswith(_BILLED_BY_PROMPT):
        queries = 1
    add_unit(fields, "web_search", queries)


def _cost(read: Reader) -> int:
    """Return the cost of a call as its provider says it, in micro-USD; 0 where it says none."""
    ticks = read("cost_in_usd_ticks")
    if type(ticks) is int and ticks > 0:
        return -(-ticks // _TICKS_A_MICRO)
    cost = read("cost")
    if cost is None:
        # DeepInfra.
        return _micros(read("estimated_cost"))
    if not isinstance(cost, int | float | str | Decimal):
        # Perplexity.
        return _micros(reader(cost)("total_cost"))
    paid = _micros(cost)
    if read("is_byok") is True:
        # OpenRouter, "BYOK": its own fee, beside what the provider bills to the caller's own key.
        details = read("cost_details")
        paid += _micros((read if details is None else reader(details))("upstream_inference_cost"))
    return paid


def _micros(dollars: Any) -> int:
    """Return dollars as micro-USD, rounded up; 0 for what is no amount."""
    if dollars is None or isinstance(dollars, bool) or not isinstance(dollars, int | float | str | Decimal):
        return 0
    try:
        # A float by its shortest text: 0.1 is a tenth.
        amount = Decimal(repr(dollars) if isinstance(dollars, float) else dollars)
        micros = int((amount * _MICROS).to_integral_value(rounding=ROUND_CEILING))
    except (ArithmeticError, ValueError):
        return 0
    return max(0, micros)
