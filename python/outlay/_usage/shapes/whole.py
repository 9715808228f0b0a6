"""What holds of every usage: the parts fit into the whole, and the total counts all of them."""

from __future__ import annotations

from outlay._usage.fields import Fields


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
