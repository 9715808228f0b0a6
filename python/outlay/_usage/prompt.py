"""`Prompt`: one request to a model, estimated before it is sent.

The estimate is an upper bound, not a forecast. A third of the UTF-8 bytes is above the true count for prose,
code, JSON and non-Latin scripts alike. (A quarter of the characters would be a third of the truth for
Chinese.) It needs no tokeniser and no network. The actual usage of the call replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outlay._usage.billed import ways_asked
from outlay._usage.shapes.reading import get

BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 4
# A large picture in high detail; most providers bill 300 to 1,600 tokens.
IMAGE_TOKENS = 2_000
# Sound, video and documents come base64-coded; a page or a second of them is some hundred tokens.
MEDIA_CHARACTERS_PER_TOKEN = 16

IMAGES = frozenset({"image", "image_url", "input_image"})
MEDIA = frozenset({"audio", "input_audio", "video", "file", "input_file", "document", "media"})
# Fields beside the messages that are billed as input, by the length of their JSON.
SCHEMAS = ("tools", "functions", "response_format", "text", "output_config", "output_format")
_GEMINI_SCHEMAS = ("responseSchema", "responseJsonSchema")
OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request: its input estimated, its output as far as the caller limited it.

    Args:
        model_name: The name in the request to the provider; None if it is unknown.
        input_tokens: The estimate of the input.
        output_limit: The most output tokens that the caller allows; None where it names no limit.
        choices: How many answers are asked for; each may use the whole output.
        labels: What the host knows of the request, for a guard's scopes: provider, agent, ...
        billed_as: How it asks to be billed: the names of multipliers, such as "priority".
        parsed: The caller's client may parse the answer, and raise while a stream of it is read.

    """

    model_name: str | None
    input_tokens: int
    output_limit: int | None = None
    choices: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    billed_as: tuple[str, ...] = ()
    parsed: bool = False


def read_body(body: Mapping[str, Any], *, provider: str, model: str | None = None) -> Prompt:
    """Estimate a request by its JSON body.

    Args:
        body: The body of OpenAI's chat completions or responses, Anthropic's messages, or Gemini's
            generateContent, as JSON types.
        provider: Whose API it is: "openai", "anthropic", "google", ...; a label of the request.
        model: The model's name where the body does not carry it.

    Returns:
        The estimate, in tokens.

    """
    name = body.get("model") or model
    config = body.get("generationConfig")
    limits = {**config, **body} if isinstance(config, Mapping) else body
    choices = limits.get("n") or limits.get("candidateCount")
    counted = _BodyCount()
    for part in ("messages", "input", "contents", "system", "instructions", "systemInstruction"):
        counted.add(body.get(part))
    schemas = [body.get(part) for part in SCHEMAS]
    if isinstance(config, Mapping):
        schemas += [config.get(part) for part in _GEMINI_SCHEMAS]
    counted.bytes += sum(json_bytes(schema) for schema in schemas if schema is not None)
    return Prompt(
        model_name=name if isinstance(name, str) and name else None,
        input_tokens=tokens_of(counted.bytes, counted.messages, counted.media),
        output_limit=output_limit(limits.get(name) for name in OUTPUT_LIMITS),
        choices=choices if isinstance(choices, int) and choices > 0 else 1,
        labels={"provider": provider},
        billed_as=ways_asked(body),
        parsed=choices in (None, 1) and _is_parsed(body),
    )


def _is_parsed(body: Mapping[str, Any]) -> bool:
    """Return whether an answer has a schema: its text, or what it gives to a tool."""
    forms = [body.get("response_format"), body.get("output_format")]
    forms += [get(body.get(holder), "format") for holder in ("text", "output_config")]
    tools = body.get("tools")
    functions = (get(tool, "function") for tool in tools) if isinstance(tools, list) else ()
    return any(get(form, "type") == "json_schema" for form in forms) or any(
        get(function, "strict") is True for function in functions
    )


def read_completion(body: Mapping[str, Any], *, provider: str) -> Prompt:
    """Estimate a request of the older completions: each of its prompts is answered, `n` or `best_of` times.

    Args:
        body: Its body; `prompt` is a text, a list of texts, token ids, or a list of these.
        provider: Whose API it is.

    Returns:
        The estimate, in tokens.

    """
    given, best_of = body.get("prompt"), body.get("best_of")
    prompt = read_body({**body, "input": given}, provider=provider)
    choices = max(prompt.choices, best_of if isinstance(best_of, int) else 1)
    many = len(given) if isinstance(given, list | tuple) and not _is_token_ids(given) else 1
    return replace(prompt, choices=choices * max(many, 1))


def tokens_of(size: int, messages: int = 0, media: int = 0) -> int:
    """Return the estimate for `size` bytes of text in `messages`, and `media` tokens beside them."""
    return -(-size // BYTES_PER_TOKEN) + MESSAGE_TOKENS * messages + media


def output_limit(given: Iterable[Any]) -> int | None:
    """Return the first of `given` that limits the output, or None."""
    for value in given:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def media_tokens(block: Mapping[str, Any]) -> int | None:
    """Return the tokens of a picture, sound or document; None if the block is none of them."""
    kind = block.get("type")
    if kind in IMAGES:
        return IMAGE_TOKENS
    if kind in MEDIA:
        return max(IMAGE_TOKENS, json_bytes(block) // MEDIA_CHARACTERS_PER_TOKEN)
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        data = block.get(name)
        if data is not None:
            mime = data.get("mimeType") or data.get("mime_type") if isinstance(data, Mapping) else None
            if isinstance(mime, str) and mime.startswith("image/"):
                return IMAGE_TOKENS
            return max(IMAGE_TOKENS, json_bytes(block) // MEDIA_CHARACTERS_PER_TOKEN)
    return None


def json_bytes(value: Any) -> int:
    """Return the length of a value as JSON, in bytes of UTF-8."""
    return text_bytes(json.dumps(value, ensure_ascii=False, default=str))


def text_bytes(text: str) -> int:
    """Return the length of a text in bytes of UTF-8; lone surrogates count too."""
    return len(text.encode("utf-8", "surrogatepass"))


def _is_token_ids(part: Any) -> bool:
    return isinstance(part, list | tuple) and bool(part) and all(isinstance(one, int) for one in part)


class _BodyCount:
    """Bytes of text, messages, and tokens that are counted otherwise, in the parts of a body."""

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self.media = 0

    def add(self, part: Any) -> None:
        if part is None:
            return
        many = isinstance(part, list | tuple) and not _is_token_ids(part)
        for message in part if many else [part]:
            self.messages += 1
            if _is_token_ids(message):
                self.media += len(message)
            else:
                self._message(message)

    def _message(self, message: Any) -> None:
        if isinstance(message, str):
            self.bytes += text_bytes(message)
            return
        if not isinstance(message, Mapping):
            self.bytes += json_bytes(message)
            return
        media = media_tokens(message)
        if media is not None:
            self.media += media
            return
        rest = dict(message)
        for name in ("content", "parts"):
            blocks = rest.get(name)
            if isinstance(blocks, str):
                self.bytes += text_bytes(rest.pop(name))
            elif isinstance(blocks, list | tuple):
                for block in rest.pop(name):
                    self._message(block)
        if isinstance(rest.get("text"), str):
            self.bytes += text_bytes(rest.pop("text"))
        for name in ("role", "type", "cache_control"):
            rest.pop(name, None)
        if rest:
            self.bytes += json_bytes(rest)
