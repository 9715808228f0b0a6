"""Usages that some providers put elsewhere, moved to where the SDKs of OpenAI's API read them.

Moonshot has the usage of a stream in the choice of its last chunk, Groq in `x_groq`. The hosts that read such
a stream by themselves drop both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from outlay._usage.shapes import reader

# Of openai's streams: what they read their chunks from, sync or async.
_CHUNKS = "_iterator"
# Of LiteLLM's own: what reads one chunk.
_PARSE = "chunk_parser"
# Of Pydantic AI's: what they read from, and the chunk that they have read before it is asked for.
_SOURCE, _AHEAD = "_source_iter", "_buffer"


def moved_usage(chunk: Any) -> Any:
    """Return a chunk of chat completions with its usage in the usual place; itself where it has it there.

    Args:
        chunk: The chunk, as an object of the SDK, which is changed, or as a dict, which is not.

    """
    read = reader(chunk)
    if read("usage") is not None:
        return chunk
    usage = _elsewhere(read)
    if usage is None:
        return chunk
    if isinstance(chunk, dict):
        return {**chunk, "usage": usage}
    from openai.types import CompletionUsage

    chunk.usage = CompletionUsage.construct(None, **usage)
    return chunk


def move_usages(stream: Any) -> bool:
    """Make a stream of chat completions give its chunks with their usage in the usual place.

    Returns:
        Whether there is a stream already; a host may make it later.

    """
    if stream is None:
        return False
    parse: Any = getattr(stream, _PARSE, None)
    chunks: Any = getattr(stream, _CHUNKS, None)
    source: Any = getattr(stream, _SOURCE, None)
    if hasattr(source, "__anext__"):
        moved_usage(getattr(stream, _AHEAD, None))
        stream._source_iter = _moved_async(source)
    elif callable(parse):
        stream.chunk_parser = lambda chunk: parse(moved_usage(chunk))
    elif hasattr(chunks, "__anext__"):
        stream._iterator = _moved_async(chunks)
    elif hasattr(chunks, "__next__"):
        stream._iterator = _moved(chunks)
    return True


def _elsewhere(read: Any) -> Mapping[str, Any] | None:
    choices = read("choices")
    for holder in (read("x_groq"), choices[0] if isinstance(choices, list) and choices else None):
        usage = None if holder is None else reader(holder)("usage")
        if isinstance(usage, Mapping) and "prompt_tokens" in usage:
            return usage
    return None


def _moved(chunks: Iterator[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield moved_usage(chunk)


async def _moved_async(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async for chunk in chunks:
            yield moved_usage(chunk)
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            await aclose()
