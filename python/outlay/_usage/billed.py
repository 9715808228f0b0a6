"""How a call is billed: what its request asks for, and which of two costs is booked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from outlay._usage.fields import Fields

# OpenAI and many others: service_tier; Anthropic: speed and inference_geo.
REQUEST_NAMES = ("service_tier", "serviceTier", "speed", "inference_geo")
# What changes no price.
_STANDARD = frozenset(
    {"standard", "standard_only", "default", "auto", "global", "on_demand", "not_available", "unspecified"}
)
_TIERS = frozenset({"priority", "flex", "batch", "scale"})
_NAME = re.compile(r"[a-z0-9_.:-]{1,64}")


def ways(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the names of multipliers among the values of tiers, speeds and places.

    Args:
        values: What a request or an answer says; what is no name or the standard is left out.

    """
    names = {value.lower() for value in values if isinstance(value, str)}
    return tuple(sorted(name for name in names - _STANDARD if _NAME.fullmatch(name)))


def ways_asked(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how a request asks to be billed, by the names of multipliers.

    Args:
        request: The body of a request, or keywords with the same names.

    """
    return ways(request.get(name) for name in REQUEST_NAMES)


def with_ways(fields: Fields, asked: tuple[str, ...]) -> Fields:
    """Return a usage that is billed as its request asked, where its answer says nothing else.

    An answer that names its way of billing decides about the service tier. What else was asked for is kept.

    Args:
        fields: What the answer said.
        asked: How the request asked to be billed.

    """
    if not asked:
        return fields
    if "billed_as" not in fields:
        return {**fields, "billed_as": asked}
    kept = (way for way in asked if way not in _TIERS)
    return {**fields, "billed_as": tuple(sorted({*fields["billed_as"], *kept}))}


def cost_to_book(source: str, reported: int, computed: int) -> int:
    """Return the cost of a call of which one cost was reported and another computed.

    Args:
        source: "larger", "provider" or "computed", as `[defaults] cost_source` says.
        reported: The cost in the answer in micro-USD; 0 is none.
        computed: What the price says.

    """
    if source == "computed" or not reported:
        return computed
    return reported if source == "provider" else max(reported, computed)
