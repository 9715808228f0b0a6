"""Which shape a usage has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outlay._usage.fields import Fields
from outlay._usage.shapes import clouds, local
from outlay._usage.shapes.anthropic import anthropic_fields, is_anthropic
from outlay._usage.shapes.frameworks import langchain_fields, plain_fields
from outlay._usage.shapes.gemini import GEMINI, INTERACTIONS, gemini_fields, interactions_fields
from outlay._usage.shapes.openai import openai_fields
from outlay._usage.shapes.reading import Reader, reader

_CHAT = ("prompt_tokens", "completion_tokens")
_GIVEN_AND_MADE = ("input_tokens", "output_tokens", "request_tokens", "response_tokens")
_DETAILS = ("input_tokens_details", "output_tokens_details", "prompt_tokens_details")
# LangChain's details, by the same name as those of OpenAI's realtime API.
_LANGCHAIN = ("input_token_details", "output_token_details")
_REALTIME = ("text_tokens", "audio_tokens", "cached_tokens", "image_tokens")
#: Shapes by the names that nobody else has, the frequent first.
_BY_NAME: tuple[tuple[tuple[str, ...], Callable[[Reader], Fields | None]], ...] = (
    (GEMINI, gemini_fields),
    (("inputTokens", "outputTokens"), clouds.converse_fields),
    (("billed_units", "tokens"), clouds.cohere_fields),
    (("prompt_eval_count", "eval_count"), local.ollama_fields),
    (INTERACTIONS, interactions_fields),
    (("inputTokenCount", "outputTokenCount"), clouds.invocation_fields),
    (("inputTextTokenCount",), clouds.titan_fields),
    (("tokens_evaluated", "tokens_predicted"), local.llama_cpp_fields),
    (("generated_tokens",), local.generated_fields),
    (("generated_token_count", "input_token_count", "output_token_count"), clouds.token_count_fields),
    (("total_tokens",), clouds.input_alone),
    (("seconds",), clouds.duration_fields),
    (("cost_in_usd_ticks",), clouds.cost_alone),
)
#: An answer without any of these names is no usage by itself.
NAMES = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        *_GIVEN_AND_MADE,
        *(name for names, _ in _BY_NAME for name in names),
    }
)


def shape_fields(usage: Any, *, langchain: bool = False) -> Fields | None:
    """Bring a usage to the names of `Usage`.

    Args:
        usage: The usage itself, as an object or a dict.
        langchain: Whether LangChain stored it, in its own place.

    Returns:
        Keyword arguments for `Usage`, or None if it is no usage.

    Raises:
        InvalidAmount: A count is no number, or negative.

    """
    return read_usage(reader(usage), langchain=langchain)


def read_usage(read: Reader, *, langchain: bool = False) -> Fields | None:
    """Do as `shape_fields` does, with what reads the usage."""
    if read(_CHAT[0]) is not None or read(_CHAT[1]) is not None:
        return openai_fields(read)
    if any(read(name) is not None for name in _GIVEN_AND_MADE):
        return _with_both(read, langchain=langchain)
    for names, fields_of in _BY_NAME:
        found = next((value for name in names if (value := read(name)) is not None), None)
        # What is no usage may have anything under these names, and servers have a list of "tokens".
        fields = None if found is None or callable(found) else fields_of(read)
        if fields is not None:
            return fields
    return None


def _with_both(read: Reader, *, langchain: bool) -> Fields:
    """Read a usage in the names that OpenAI's responses, Anthropic and the frameworks share."""
    anthropic = is_anthropic(read)
    if not anthropic and any(read(name) is not None for name in _DETAILS):
        return openai_fields(read)
    if anthropic and not langchain:
        return anthropic_fields(read)
    details = [read(name) for name in _LANGCHAIN]
    if not langchain and any(_is_realtime(one) for one in details):
        return openai_fields(read)
    if langchain or details != [None, None]:
        return langchain_fields(read)
    return plain_fields(read)


def _is_realtime(details: Any) -> bool:
    read = reader(details)
    return any(read(name) is not None for name in _REALTIME)
