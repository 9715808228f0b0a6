"""OpenAI's chat completions, as the loopback servers speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from outlay.testing._apis.api import Exchange, Json, StreamingApi, content_texts, so_far


class Chat(StreamingApi):
    """``POST /v1/chat/completions``."""

    name = "chat"
    done = True

    def texts(self, request: Json) -> Iterator[Iterator[str]]:
        """Return the texts of each message."""
        return (_texts(message) for message in request.get("messages", ()))

    def body(self, exchange: Exchange) -> Json:
        """Write a chat completion."""
        reply = exchange.reply
        message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None}
        if exchange.calls:
            message["tool_calls"] = [_tool_call(call) for call in exchange.calls]
        choice = {"index": 0, "message": message, "finish_reason": _finish(exchange), "logprobs": None}
        body = {**_head(exchange), "object": "chat.completion", "choices": [choice]}
        return body if exchange.usage is None else {**body, "usage": exchange.usage}

    def events(self, exchange: Exchange) -> Iterator[Json]:
        """Write the chunks; the usage comes last, and only where the client asked for it."""
        head = {**_head(exchange), "object": "chat.completion.chunk"}

        def chunk(delta: Json, finish: str | None = None) -> Json:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return {**head, "choices": [choice]}

        pieces = exchange.pieces or [""]
        for number, piece in enumerate(pieces, start=1):
            event = chunk({"content": piece} if number > 1 else {"role": "assistant", "content": piece})
            if exchange.reply.totals and exchange.usage is not None:
                event["usage"] = so_far(exchange.usage, number, len(pieces))
            yield event
        for index, call in enumerate(_tool_call(call) for call in exchange.calls):
            # As the real service does: the name comes first, the arguments follow in pieces.
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            opening = {"id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
            yield chunk({"tool_calls": [{"index": index, **opening}]})
            half = len(arguments) // 2
            for part in (arguments[:half], arguments[half:]):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        yield chunk({}, _finish(exchange))
        asked = (exchange.request.get("stream_options") or {}).get("include_usage")
        if asked and exchange.usage is not None:
            yield {**head, "choices": [], "usage": exchange.usage}


def _texts(message: Json) -> Iterator[str]:
    yield from content_texts(message.get("content"))
    for call in message.get("tool_calls") or ():
        yield json.dumps(call.get("function"))


def _head(exchange: Exchange) -> Json:
    return {"id": f"chatcmpl-{exchange.number}", "created": 0, "model": exchange.model}


def _finish(exchange: Exchange) -> str:
    if exchange.reply.cut_short:
        return "length"
    return "tool_calls" if exchange.calls else "stop"


def _tool_call(call: Json) -> Json:
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}
