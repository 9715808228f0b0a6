"""Estimates what one request of Pydantic AI will use, by the rule of `outlay._usage.prompt`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import BinaryContent, FileUrl, ModelMessage, ModelRequest, UploadedFile
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from outlay._wraps import (
    IMAGE_TOKENS,
    MEDIA_CHARACTERS_PER_TOKEN,
    REQUEST_NAMES,
    Prompt,
    json_bytes,
    output_limit,
    provider_at,
    text_bytes,
    tokens_of,
    ways_asked,
)

# Of a part of a message, what is sent; the rest (ids, times, what the provider said) is a few bytes.
_FIELDS = ("content", "args", "tool_name", "transcript")


def read_prompt(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any] | None,
    parameters: ModelRequestParameters | None,
    agent: str | None,
) -> Prompt:
    """Estimate one request.

    Args:
        model: The model that is asked.
        messages: The messages that it is given.
        settings: The settings of the request; they stand above those of the model.
        parameters: The tools, the output and the instructions of the request.
        agent: The name of the agent that asks; None outside an agent.

    Returns:
        The estimate, in tokens.

    """
    counted = _Counted()
    for message in messages:
        for part in message.parts:
            counted.part(part)
    size = counted.bytes + _instructions_bytes(messages, parameters) + _schema_bytes(parameters)
    given = (_setting(settings), _setting(model.settings))
    labels = {"provider": provider_at(model.base_url, model.system)}
    if agent:
        labels["agent"] = agent
    return Prompt(
        model_name=model.model_name or None,
        input_tokens=tokens_of(size, counted.messages, counted.media),
        output_limit=output_limit(given),
        labels=labels,
        billed_as=ways_asked({**_tiers(model.settings), **_tiers(settings)}),
    )


def _setting(settings: Mapping[str, Any] | None) -> Any:
    return (settings or {}).get("max_tokens")


def _tiers(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings of how to bill, without the name of the provider before theirs."""
    known = [(name, value) for name, value in (settings or {}).items() if value is not None]
    return {own: value for name, value in known for own in REQUEST_NAMES if name.endswith(own)}


def _instructions_bytes(messages: Sequence[ModelMessage], parameters: ModelRequestParameters | None) -> int:
    if parameters is not None and parameters.instruction_parts:
        return sum(text_bytes(part.content) for part in parameters.instruction_parts)
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            # A plain request carries its instructions itself.
            return text_bytes(message.instructions or "")
    return 0


def _schema_bytes(parameters: ModelRequestParameters | None) -> int:
    if parameters is None:
        return 0
    size = sum(_tool_bytes(tool) for tool in (*parameters.function_tools, *parameters.output_tools))
    if parameters.output_object is not None:
        size += json_bytes(parameters.output_object.json_schema)
    return size


def _tool_bytes(tool: ToolDefinition) -> int:
    return (
        text_bytes(tool.name) + text_bytes(tool.description or "") + json_bytes(tool.parameters_json_schema)
    )


class _Counted:
    """Bytes of text, messages and tokens of media in the parts of the messages."""

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self.media = 0

    def part(self, part: Any) -> None:
        """Count one part: providers send each of them as a message or a block of one."""
        self.messages += 1
        for name in _FIELDS:
            self._value(getattr(part, name, None))

    def _value(self, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, str):
            self.bytes += text_bytes(value)
        elif isinstance(value, BinaryContent):
            # The data is sent in base64: four characters for three bytes.
            self._media(value.is_image, len(value.data) * 4 // 3)
        elif isinstance(value, FileUrl | UploadedFile):
            self._media(getattr(value, "kind", None) == "image-url", 0)
        elif isinstance(value, Mapping):
            self.bytes += json_bytes(value)
        elif isinstance(value, Iterable):
            for one in value:
                self._value(one)
        elif isinstance(getattr(value, "content", None), str):
            self.bytes += text_bytes(value.content)
        else:
            self.bytes += json_bytes(value)

    def _media(self, image: bool, characters: int) -> None:
        self.media += IMAGE_TOKENS if image else max(IMAGE_TOKENS, characters // MEDIA_CHARACTERS_PER_TOKEN)
