"""Gemini's generateContent, as the loopback server speaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from outlay.testing._apis.api import Exchange, Json, StreamingApi, details

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_WAIT = re.compile(r"Please retry in ([0-9.]+s)")
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_PATH = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent)$")


class Gemini(StreamingApi):
    """``POST /v1beta/models/{model}:generateContent`` and ``:streamGenerateContent``."""

    name = "gemini"

    def streamed(self, path: str, request: Json) -> bool:  # noqa: ARG002
        """Say whether the path asks for a stream."""
        return path.endswith(":streamGenerateContent")

    def model(self, path: str, request: Json) -> str:  # noqa: ARG002
        """Return the model in the path."""
        found = _PATH.search(path)
        return found[1] if found else ""

    def texts(self, request: Json) -> Iterator[Iterator[str]]:
        """Return the texts of the system instruction and of each content."""
        system = request.get("systemInstruction") or request.get("system_instruction")
        if system:
            yield _texts(system)
        for content in request.get("contents") or ():
            yield _texts(content)

    def body(self, exchange: Exchange) -> Json:
        """Write a whole answer."""
        parts = [{"text": exchange.reply.text}] if exchange.reply.text or not exchange.calls else []
        return _answer(exchange, [*parts, *_call_parts(exchange)], 1, 1)

    def events(self, exchange: Exchange) -> Iterator[Json]:
        """Write the chunks: each tells the running usage."""
        steps = [[{"text": piece}] for piece in exchange.pieces]
        steps += [[part] for part in _call_parts(exchange)] or ([] if steps else [[{"text": ""}]])
        for number, parts in enumerate(steps, start=1):
            yield _answer(exchange, parts, number, len(steps))

    def error(self, status: int, text: str) -> Json:
        """Write an error in Google's form."""
        name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
        # As the service does, the wait that the message names stands in the details too.
        details = [{"@type": _RETRY_INFO, "retryDelay": wait} for wait in _WAIT.findall(text)]
        return {"error": {"code": status, "message": text, "status": name, "details": details}}

    def refusal(self, error: Json, headers: Mapping[str, str]) -> Json:
        """Write a refusal of the rate limit, which tells the wait in its details."""
        body = self.error(429, error["error"]["message"])
        if "retry-after-ms" in headers:
            delay = f"{int(headers['retry-after-ms']) / 1000:g}s"
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            body["error"]["details"].append({"@type": kind, "retryDelay": delay})
        return body

    def limit_headers(self, headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """Gemini has no headers of a rate limit."""
        return {}


def _texts(content: Json) -> Iterator[str]:
    for part in content.get("parts") or ():
        yield part["text"] if isinstance(part.get("text"), str) else json.dumps(part)


def _call_parts(exchange: Exchange) -> list[Json]:
    return [
        {"functionCall": {"id": call["id"], "name": call["name"], "args": call["args"]}}
        for call in exchange.calls
    ]


def _answer(exchange: Exchange, parts: list[Json], number: int, of: int) -> Json:
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": parts}}
    if number == of:
        candidate["finishReason"] = "MAX_TOKENS" if exchange.reply.cut_short else "STOP"
    body: Json = {
        "candidates": [candidate],
        "modelVersion": exchange.model,
        "responseId": f"response-{exchange.number}",
    }
    if exchange.usage is not None:
        body["usageMetadata"] = _usage(exchange.usage, number, of)
    return body


def _usage(usage: Json, number: int, of: int) -> Json:
    read, _, reasoning = details(usage)
    made = (usage["completion_tokens"] - reasoning) * number // of
    total = usage["total_tokens"] if number == of else usage["prompt_tokens"] + made + reasoning
    metadata = {
        "promptTokenCount": usage["prompt_tokens"],
        "candidatesTokenCount": made,
        "totalTokenCount": total,
    }
    if read:
        metadata["cachedContentTokenCount"] = read
    if reasoning:
        metadata["thoughtsTokenCount"] = reasoning
    return metadata
