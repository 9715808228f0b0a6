"""Estimates what a prompt will use, before it is sent.

The rule is a fence, not a forecast: a third of the UTF-8 bytes is above the true count for prose, code, JSON
and non-Latin scripts alike (a quarter of the characters is a third of the truth for Chinese), and it needs no
tokeniser and no network. What the call really used replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 4
# A large picture in high detail; most providers bill 300 to 1,600 tokens.
IMAGE_TOKENS = 2_000
# Sound, video and documents come base64-coded; a page or a second of them is some hundred tokens.
MEDIA_CHARACTERS_PER_TOKEN = 16

_IMAGES = frozenset({"image", "image_url", "input_image"})
_MEDIA = frozenset({"audio", "input_audio", "video", "file", "input_file", "document", "media"})
_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one call asks for: the input estimated, the output as far as the caller limited it."""

    model_name: str | None
    input_tokens: int
    output_limit: int | None
    choices: int


def read_prompt(model: BaseChatModel, messages: Iterable[BaseMessage], kwargs: Mapping[str, Any]) -> Prompt:
    """Estimate one call of a chat model.

    Args:
        model: The model that is called.
        messages: Its messages.
        kwargs: The keyword arguments of the call: tools, limits and the model's name may be among them.

    Returns:
        The estimate, in tokens.

    """
    size = sum(_message_bytes(message) for message in messages)
    count = sum(1 for _ in messages)
    media = sum(_media_tokens(message) for message in messages)
    schemas = [*(kwargs.get("tools") or ()), *(kwargs.get("functions") or ())]
    if kwargs.get("response_format") is not None:
        schemas.append(kwargs["response_format"])
    size += sum(_schema_bytes(schema) for schema in schemas)
    params = model._get_ls_params(**kwargs)
    choices = kwargs.get("n") or getattr(model, "n", None)
    return Prompt(
        model_name=called_name(params, kwargs),
        input_tokens=-(-size // BYTES_PER_TOKEN) + MESSAGE_TOKENS * count + media,
        output_limit=_output_limit(params, kwargs),
        choices=choices if isinstance(choices, int) and choices > 0 else 1,
    )


def called_name(params: Mapping[str, Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the name of the model that the provider will be asked for, or None if nobody says."""
    name = kwargs.get("model") or params.get("ls_model_name")
    return name if isinstance(name, str) and name else None


def _output_limit(params: Mapping[str, Any], kwargs: Mapping[str, Any]) -> int | None:
    # The limit of the call replaces the model's own.
    for given in (*(kwargs.get(name) for name in _OUTPUT_LIMITS), params.get("ls_max_tokens")):
        if isinstance(given, int) and not isinstance(given, bool) and given > 0:
            return given
    return None


def _message_bytes(message: BaseMessage) -> int:
    size = _bytes(message.name or "") + _bytes(getattr(message, "tool_call_id", None) or "")
    blocks = [message.content] if isinstance(message.content, str) else message.content
    size += sum(_block_bytes(block) for block in blocks)
    if isinstance(message.content, str) or not any(_is_call(block) for block in blocks):
        # Some providers repeat the calls in the content; they are sent once.
        size += sum(_json_bytes(call) for call in getattr(message, "tool_calls", ()))
    return size


def _block_bytes(block: Any) -> int:
    if isinstance(block, str):
        return _bytes(block)
    if isinstance(block, Mapping):
        if _kind(block) in _IMAGES | _MEDIA:
            return 0
        if isinstance(block.get("text"), str):
            return _bytes(block["text"])
    return _json_bytes(block)


def _media_tokens(message: BaseMessage) -> int:
    if isinstance(message.content, str):
        return 0
    tokens = 0
    for block in message.content:
        if isinstance(block, Mapping) and _kind(block) in _IMAGES:
            tokens += IMAGE_TOKENS
        elif isinstance(block, Mapping) and _kind(block) in _MEDIA:
            tokens += max(IMAGE_TOKENS, _json_bytes(block) // MEDIA_CHARACTERS_PER_TOKEN)
    return tokens


def _kind(block: Mapping[str, Any]) -> Any:
    return block.get("type")


def _is_call(block: Any) -> bool:
    return isinstance(block, Mapping) and _kind(block) in {"tool_use", "tool_call", "function_call"}


def _schema_bytes(schema: Any) -> int:
    if isinstance(schema, Mapping):
        return _json_bytes(schema)
    try:
        return _json_bytes(convert_to_openai_tool(schema))
    except Exception:
        # A schema in a form of the provider's own: its text is the best that we can measure.
        return _bytes(repr(schema))


def _json_bytes(value: Any) -> int:
    return _bytes(json.dumps(value, ensure_ascii=False, default=str))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
