"""OpenAI's responses and embeddings, as the loopback server speaks them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from outlay.testing._apis.api import Api, Exchange, Json, StreamingApi, content_texts, cost_of, details
from outlay.testing._script import Reply

_DIMENSIONS = 4


class Responses(StreamingApi):
    """``POST /v1/responses``."""

    name = "responses"
    event_names = True
    # created, in_progress, output_item.added and content_part.added come before it.
    first_piece = 4

    def texts(self, request: Json) -> Iterator[Iterator[str]]:
        """Return the texts of the instructions and of each item of the input."""
        if request.get("instructions"):
            yield iter((request["instructions"],))
        given = request.get("input") or ()
        for item in (given,) if isinstance(given, str) else given:
            yield _texts(item)

    def body(self, exchange: Exchange) -> Json:
        """Write a response that is complete, or ends at its length limit."""
        if not exchange.reply.cut_short:
            return _response(exchange, "completed", _output(exchange), exchange.usage)
        ended = _response(exchange, "incomplete", _output(exchange), exchange.usage)
        return {**ended, "incomplete_details": {"reason": "max_output_tokens"}}

    def events(self, exchange: Exchange) -> Iterator[Json]:
        """Write the events, numbered; the last one carries the whole response and its usage."""
        for number, event in enumerate(self._events(exchange)):
            yield {**event, "sequence_number": number}

    def _events(self, exchange: Exchange) -> Iterator[Json]:
        begun = _response(exchange, "in_progress", [], None)
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        for index, item in enumerate(_output(exchange)):
            empty: Json = {"content": []} if item["type"] == "message" else {"arguments": ""}
            added = {**item, "status": "in_progress", **empty}
            yield {"type": "response.output_item.added", "output_index": index, "item": added}
            at = {"item_id": item["id"], "output_index": index}
            yield from _text_events(exchange, at) if item["type"] == "message" else _call_events(item, at)
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        body = self.body(exchange)
        yield {"type": f"response.{body['status']}", "response": body}


class Embeddings(Api):
    """``POST /v1/embeddings``: one vector for each text, never as a stream."""

    name = "embeddings"

    def made(self, reply: Reply, calls: Iterable[Json]) -> int:  # noqa: ARG002
        """Vectors are not counted."""
        return 0

    def texts(self, request: Json) -> Iterator[Iterator[str]]:
        """Return the texts; the tokens of a message's frame are counted as for a message."""
        return (content_texts(text) for text in _inputs(request))

    def body(self, exchange: Exchange) -> Json:
        """Write vectors that tell one text from another by their place."""
        data = [
            {"object": "embedding", "index": index, "embedding": [float(index)] * _DIMENSIONS}
            for index, _ in enumerate(_inputs(exchange.request))
        ]
        body: Json = {"object": "list", "data": data, "model": exchange.model}
        if exchange.usage is None:
            return body
        prompt = exchange.usage["prompt_tokens"]
        return {**body, "usage": {"prompt_tokens": prompt, "total_tokens": prompt}}


def _inputs(request: Json) -> list[Any]:
    given = request.get("input") or []
    # A text, or the tokens of one text, or a list of either.
    alone = isinstance(given, str) or (given and isinstance(given[0], int))
    return [given] if alone else list(given)


def _texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
        return
    yield from content_texts(item.get("content"))
    if item.get("type") == "function_call":
        yield json.dumps({"name": item.get("name"), "arguments": item.get("arguments")})
    yield from content_texts(item.get("output"))


def _response(exchange: Exchange, status: str, output: list[Json], usage: Json | None) -> Json:
    request = exchange.request
    return {
        "id": f"resp_{exchange.number}",
        "object": "response",
        "created_at": 0,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "model": exchange.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "usage": None if usage is None else _usage(usage),
    }


def _usage(usage: Json) -> Json:
    read, written, reasoning = details(usage)
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": usage["total_tokens"],
        **cost_of(usage),
    }


def _output(exchange: Exchange) -> list[Json]:
    items: list[Json] = []
    if exchange.reply.text or not exchange.calls:
        message = {"id": f"msg_{exchange.number}", "type": "message", "role": "assistant"}
        content = [_part(exchange.reply.text)]
        items.append({**message, "status": "completed", "content": content})
    items += [
        {
            "id": f"fc_{exchange.number}_{index}",
            "type": "function_call",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": call["arguments"],
            "status": "completed",
        }
        for index, call in enumerate(exchange.calls)
    ]
    return items


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _text_events(exchange: Exchange, at: Json) -> Iterator[Json]:
    at = {**at, "content_index": 0}
    text = exchange.reply.text
    yield {"type": "response.content_part.added", **at, "part": _part("")}
    for piece in exchange.pieces:
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": _part(text)}


def _call_events(item: Json, at: Json) -> Iterator[Json]:
    arguments = item["arguments"]
    half = len(arguments) // 2
    for part in (arguments[:half], arguments[half:]):
        yield {"type": "response.function_call_arguments.delta", **at, "delta": part}
    done = {"name": item["name"], "arguments": arguments}
    yield {"type": "response.function_call_arguments.done", **at, **done}
