"""Anthropic's messages, as the loopback server speaks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from outlay.testing._apis.api import Exchange, Json, StreamingApi, content_texts, cost_of, details, so_far

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Messages(StreamingApi):
    """``POST /v1/messages``."""

    name = "messages"
    event_names = True
    # message_start and content_block_start come before it.
    first_piece = 2

    def texts(self, request: Json) -> Iterator[Iterator[str]]:
        """Return the texts of the system prompt and of each message."""
        if request.get("system"):
            yield content_texts(request["system"])
        for message in request.get("messages", ()):
            yield content_texts(message.get("content"))

    def body(self, exchange: Exchange) -> Json:
        """Write a message."""
        return _message(exchange, _content(exchange), _stop_reason(exchange), _usage(exchange.usage))

    def events(self, exchange: Exchange) -> Iterator[Json]:
        """Write the events: the first has the input tokens, the last has the output tokens."""
        usage = _usage(exchange.usage)
        # As the real service: the output that it tells at the start is no more than a beginning.
        begun = {**usage, "output_tokens": min(1, usage["output_tokens"])}
        yield {"type": "message_start", "message": _message(exchange, [], None, begun)}
        for index, block in enumerate(_content(exchange)):
            empty: Json = {"text": ""} if block["type"] == "text" else {"input": {}}
            yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
            for delta in _deltas(exchange, block):
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
            if exchange.reply.totals and exchange.usage is not None:
                running = _usage(so_far(exchange.usage, 1, 2))
                yield {"type": "message_delta", "delta": {"stop_reason": None}, "usage": running}
        end = {"stop_reason": _stop_reason(exchange), "stop_sequence": None}
        # As the real service: the start alone says how long what was written is kept.
        usage.pop("cache_creation", None)
        yield {"type": "message_delta", "delta": end, "usage": usage}
        yield {"type": "message_stop"}

    def error(self, status: int, text: str) -> Json:
        """Write an error in Anthropic's form."""
        kind = _ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": text}}

    def refusal(self, error: Json, headers: Mapping[str, str]) -> Json:  # noqa: ARG002
        """Write a refusal of the rate limit in Anthropic's form."""
        return self.error(429, error["error"]["message"])

    def limit_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Translate the headers of the rate limit; the time of a reset is left out."""
        names = {f"x-ratelimit-{name}-tokens": f"anthropic-ratelimit-tokens-{name}" for name in _REPORTED}
        named = {names.get(name, name): value for name, value in headers.items()}
        return {name: value for name, value in named.items() if not name.startswith("x-ratelimit-")}


_REPORTED = ("limit", "remaining")


def _message(exchange: Exchange, content: list[Json], stop_reason: str | None, usage: Json) -> Json:
    return {
        "id": f"msg_{exchange.number}",
        "type": "message",
        "role": "assistant",
        "model": exchange.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _content(exchange: Exchange) -> list[Json]:
    blocks: list[Json] = []
    if exchange.reply.text or not exchange.calls:
        blocks.append({"type": "text", "text": exchange.reply.text})
    blocks += [
        {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["args"]}
        for call in exchange.calls
    ]
    return blocks


def _deltas(exchange: Exchange, block: Json) -> Iterator[Json]:
    if block["type"] == "text":
        for piece in exchange.pieces:
            yield {"type": "text_delta", "text": piece}
        return
    arguments = next(call["arguments"] for call in exchange.calls if call["id"] == block["id"])
    half = len(arguments) // 2
    for part in (arguments[:half], arguments[half:]):
        yield {"type": "input_json_delta", "partial_json": part}


def _stop_reason(exchange: Exchange) -> str:
    if exchange.reply.cut_short:
        return "max_tokens"
    return "tool_use" if exchange.calls else "end_turn"


def _usage(usage: Json | None) -> Json:
    """Return the usage; the API always has one, so that which is not reported is all zeros."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    read, written, _ = details(usage)
    hour = (usage["prompt_tokens_details"] or {}).get("cache_write_1h_tokens") or 0
    return {
        "input_tokens": usage["prompt_tokens"] - read - written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": usage["completion_tokens"],
        "service_tier": "standard",
        **cost_of(usage),
    }
