"""What holds of every usage: the parts fit into the whole, and the total counts all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from outlay._usage.shapes.reading import Fields

_UNITS, _BILLED, _TOTAL = "units", "billed_as", "total_tokens"


def whole(fields: Fields, total: int = 0, *, beside: int = 0) -> Fields:
    """Return a usage whose parts fit into its counts.

    Args:
        fields: The counts; `reasoning_tokens` may stand beside the output still.
        total: What the usage says is the whole; default 0, it says nothing.
        beside: How many of the tokens in `fields` the provider leaves out of its total; default 0.

    """
    made, reasoning = fields["output_tokens"], fields.get("reasoning_tokens", 0)
    if reasoning:
        given = fields["input_tokens"]
        # Reasoning that stands beside the output (xAI): there is more of it, or the total has it on top.
        # Where it is a part of the output, neither can be.
        if reasoning > made or total == given + made + reasoning:
            made = fields["output_tokens"] = made + reasoning
    hour = fields.get("cache_write_1h_tokens", 0)
    if hour > fields.get("cache_write_tokens", 0):
        fields["cache_write_tokens"] = hour
    summed = fields["input_tokens"] + made
    if beside and total < summed:
        total = max(total, summed - beside) + beside
    # A total above the sum counts tokens that the provider bills but does not itemise; a total below it is a
    # provider's slip and would undercount.
    if total > summed:
        fields["total_tokens"] = total
    return fields


def larger(seen: Fields | None, new: Fields | None) -> Fields | None:
    """Return the larger of each count of two usages of one stream."""
    if seen is None or new is None:
        return new or seen
    merged = _by_name(seen, new, max)
    ways = {*seen.get(_BILLED, ()), *new.get(_BILLED, ())}
    if ways:
        merged[_BILLED] = tuple(sorted(ways))
    # The total of an earlier piece does not stand above the parts of a later one.
    if merged.get(_TOTAL, 0) <= merged.get("input_tokens", 0) + merged.get("output_tokens", 0):
        merged.pop(_TOTAL, None)
    return merged


def summed(many: Iterable[Fields]) -> Fields:
    """Return the sum of usages; it is billed as what all of them are billed as."""
    total: Fields | None = None
    for fields in many:
        # A sum of totals is only right where every part has one.
        one = {_TOTAL: fields["input_tokens"] + fields["output_tokens"], **fields}
        if total is None:
            total = one
            continue
        ways = set(total.get(_BILLED, ())) & set(one.get(_BILLED, ()))
        total = _by_name(total, one, int.__add__)
        if ways:
            total[_BILLED] = tuple(sorted(ways))
    return total or {}


def _by_name(one: Fields, other: Fields, join: Callable[[int, int], int]) -> Fields:
    """Return the counts and units of both, joined; nothing of how they are billed."""
    joined: Fields = {}
    for name in {**one, **other}:
        if name == _BILLED:
            continue
        if name == _UNITS:
            joined[name] = _by_name(one.get(name, {}), other.get(name, {}), join)
        else:
            joined[name] = join(one.get(name, 0), other.get(name, 0))
    return joined
