"""The base of the loopback servers' APIs: one exchange, its count, and the form of its bill."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from outlay.testing._script import Reply, count_tokens

TOKENS_PER_MESSAGE = 4
Json = dict[str, Any]


@dataclass(frozen=True)
class Exchange:
    """One request and its reply; `usage` in the names of OpenAI's chat completions, whatever the API."""

    request: Json
    reply: Reply
    number: int
    model: str
    streamed: bool
    calls: tuple[Json, ...] = ()
    usage: Json | None = None

    @property
    def pieces(self) -> list[str]:
        """The text as a stream sends it, word by word."""
        return re.findall(r"\s*\S+\s*", self.reply.text) or ([self.reply.text] if self.reply.text else [])


class Api(ABC):
    """One API: how its requests are counted and its answers are written."""

    name: ClassVar[str]

    def model(self, path: str, request: Json) -> str:  # noqa: ARG002
        """Return the model that is asked for."""
        return str(request.get("model", ""))

    @abstractmethod
    def texts(self, request: Json) -> Iterable[Iterable[str]]:
        """Return the texts of each message."""

    @abstractmethod
    def body(self, exchange: Exchange) -> Json:
        """Write a plain answer."""

    def error(self, status: int, text: str) -> Json:
        """Write an error; this is OpenAI's form."""
        kinds = {429: "rate_limit_error"}
        kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
        return {"error": {"message": text, "type": kind, "param": None, "code": None}}

    def refusal(self, error: Json, headers: Mapping[str, str]) -> Json:  # noqa: ARG002
        """Write a refusal of the rate limit, which comes in OpenAI's form."""
        return error

    def limit_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Translate the headers of the rate limit, which come in OpenAI's form."""
        return dict(headers)

    def count(self, request: Json) -> int:
        """Count the tokens of a request."""
        tokens = count_tokens(json.dumps(request["tools"])) if request.get("tools") else 0
        return tokens + sum(
            TOKENS_PER_MESSAGE + sum(count_tokens(text) for text in texts) for texts in self.texts(request)
        )

    def made(self, reply: Reply, calls: Iterable[Json]) -> int:
        """Count the tokens of an answer."""
        named = ({"name": call["name"], "arguments": call["arguments"]} for call in calls)
        return count_tokens(reply.text) + sum(count_tokens(json.dumps(call)) for call in named)


class StreamingApi(Api):
    """An API whose answers may be streams."""

    # What a stream's events look like, and which of them carries the first piece of text.
    event_names: ClassVar[bool] = False
    done: ClassVar[bool] = False
    first_piece: ClassVar[int] = 0

    def streamed(self, path: str, request: Json) -> bool:  # noqa: ARG002
        """Say whether the answer is a stream."""
        return bool(request.get("stream"))

    @abstractmethod
    def events(self, exchange: Exchange) -> Iterator[Json]:
        """Write the events of a stream."""


def tool_calls(reply: Reply, number: int) -> tuple[Json, ...]:
    """Return the calls of a reply, each with its id, its name, its arguments and these as JSON."""
    return tuple(
        {
            "id": str(call.get("id") or f"call_{number}_{index}"),
            "name": call["name"],
            "args": call.get("args", {}),
            "arguments": json.dumps(call.get("args", {})),
        }
        for index, call in enumerate(reply.tool_calls)
    )


def usage_of(api: Api, request: Json, reply: Reply, calls: Iterable[Json]) -> Json | None:
    """Return what the provider bills for an answer; None where the reply says that it reports nothing."""
    if reply.usage is None:
        return None
    given = dict(reply.usage) if reply.usage != "count" else _counted(api, request, reply, calls)
    prompt, completion = given.get("prompt_tokens", 0), given.get("completion_tokens", 0)
    defaults = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return defaults | given


def so_far(usage: Json, part: int, of: int) -> Json:
    """Return the usage that a piece of the answer carries: the whole input, and the output until then."""
    made = usage["completion_tokens"] * part // of
    counts = {"completion_tokens": made, "total_tokens": usage["prompt_tokens"] + made}
    return usage if part == of else {**usage, **counts, "completion_tokens_details": {}}


def details(usage: Json) -> tuple[int, int, int]:
    """Return the tokens that were read from the cache, written to it, and spent on reasoning."""
    given = usage.get("prompt_tokens_details") or {}
    made = usage.get("completion_tokens_details") or {}
    return (
        given.get("cached_tokens") or 0,
        given.get("cache_write_tokens") or 0,
        made.get("reasoning_tokens") or 0,
    )


def cost_of(usage: Json) -> Json:
    """Return the cost of a usage under OpenRouter's name, which is the same in each of its APIs."""
    return {"cost": usage["cost"]} if "cost" in usage else {}


def content_texts(content: Any) -> Iterator[str]:
    """Return the text of a message's content: as it stands, or blocks as their JSON."""
    if isinstance(content, str):
        yield content
    elif content:
        yield json.dumps(content)


def _counted(api: Api, request: Json, reply: Reply, calls: Iterable[Json]) -> dict[str, int]:
    return {"prompt_tokens": api.count(request), "completion_tokens": api.made(reply, calls)}
