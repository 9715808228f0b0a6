"""The usage of Anthropic's messages."""

from __future__ import annotations

from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes.beside import add_beside
from outlay._usage.shapes.reading import Reader, count, listed, reader
from outlay._usage.shapes.whole import whole

_HOUR = "ephemeral_1h_input_tokens"
_FIVE_MINUTES = "ephemeral_5m_input_tokens"
_APART = ("compaction", "advisor_message")
# Nobody else has these; what LiteLLM makes of Anthropic's usage has details of the input beside them.
_OWN = ("iterations", "cache_creation", "server_tool_use")


def is_anthropic(read: Reader) -> bool:
    """Return whether a usage with `input_tokens` is Anthropic's."""
    if read("cache_creation_input_tokens") is not None or read("cache_read_input_tokens") is not None:
        return True
    return any(read(name) is not None for name in _OWN) and read("input_tokens_details") is None


def anthropic_fields(read: Reader) -> Fields:
    """Read a usage of messages: the input is what was read from and written to the cache and what follows."""
    # Anthropic, "Prompt caching": input_tokens is only what follows the last cache breakpoint.
    iterations = listed(read("iterations"))
    if iterations:
        fields = _with_iterations(read, [reader(one) for one in iterations])
    else:
        cached, (written, hour) = count(read, "cache_read_input_tokens"), _split(read)
        written = max(count(read, "cache_creation_input_tokens"), written)
        fields = _fields(
            count(read, "input_tokens") + cached + written,
            count(read, "output_tokens"),
            (cached, written, hour),
        )
    details = read("output_tokens_details")
    if details is not None:
        fields["reasoning_tokens"] = count(reader(details), "thinking_tokens")
    add_beside(fields, read)
    return whole(fields)


def _with_iterations(read: Reader, iterations: list[Reader]) -> Fields:
    # Anthropic, "Compaction": what its own compactions and advisors use is in `iterations` and in none of the
    # counts above them. An event of a stream may leave out the counts above them: those of its turns are
    # there then.
    apart = [one for one in iterations if one("type") in _APART]
    turns = [one for one in iterations if one("type") not in _APART]

    def summed(name: str) -> int:
        return sum(count(one, name) for one in ([read] if read(name) is not None else turns) + apart)

    cached = summed("cache_read_input_tokens")
    splits = [_split(one) for one in (read, *apart)]
    written = max(summed("cache_creation_input_tokens"), sum(split[0] for split in splits))
    hour = sum(split[1] for split in splits)
    given = summed("input_tokens") + cached + written
    return _fields(given, summed("output_tokens"), (cached, written, hour))


def _split(read: Reader) -> tuple[int, int]:
    """Return what was written to the cache by lifetime: in all, and for an hour."""
    split: Any = read("cache_creation")
    if split is None:
        return 0, 0
    by_name = reader(split)
    hour = count(by_name, _HOUR)
    return count(by_name, _FIVE_MINUTES) + hour, hour


def _fields(given: int, made: int, cache: tuple[int, int, int]) -> Fields:
    fields = {"input_tokens": given, "output_tokens": made}
    for name, tokens in zip(
        ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"), cache, strict=True
    ):
        if tokens:
            fields[name] = tokens
    return fields
