"""The bookings of failed streams of OpenAI's responses: before the first piece, and after it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json

import httpx2
import openai
import pytest
from agents import ModelSettings, ModelTracing, OpenAIResponsesModel

from outlay import Guard, ManualClock, SharedPool, Usage
from outlay._usage.prompt import Prompt
from outlay._usage.stream import StreamUsage
from outlay._wraps.arguments import make_layer
from outlay._wraps.model_call import ModelCall

# ceil(2 bytes / 3) + 4 for the message, and max_output_tokens.
ESTIMATE = 1 + 4 + 1_000
BEGUN = {"type": "response.created", "response": {"status": "in_progress", "usage": None}}
PIECE = {"type": "response.output_text.delta", "delta": "a"}
FAILED = {"type": "response.failed", "response": {"status": "failed", "usage": None}}
PAID = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
FAILED_AND_PAID = {"type": "response.failed", "response": {"status": "failed", "usage": PAID}}


async def ask_as_agents_do(model, guard):
    """Stream one answer of a model of the Agents SDK."""
    from outlay.openai_agents import wrap

    settings, tracing = ModelSettings(max_tokens=1_000), ModelTracing.DISABLED
    later = {"previous_response_id": None, "conversation_id": None, "prompt": None}
    events = wrap(model, guard).stream_response(None, "hi", settings, [], None, [], tracing, **later)
    with contextlib.suppress(Exception):
        async for _ in events:
            pass


@pytest.mark.parametrize(
    ("events", "tokens"),
    [
        ((BEGUN, FAILED), 0),
        ((BEGUN, PIECE, FAILED), ESTIMATE),
        ((BEGUN, FAILED_AND_PAID), 9),
        ((BEGUN, {"type": "error", "message": "overloaded"}), 0),
        ((BEGUN, PIECE, {"type": "error", "message": "overloaded"}), ESTIMATE),
    ],
    ids=["before a piece", "after a piece", "with a usage", "an error", "an error after a piece"],
)
@pytest.mark.parametrize("way", ["client", "transport", "agents"])
def test_a_response_that_fails_in_its_stream(way, events, tokens):
    """Before its first piece it is an error, which costs no tokens; the request counts."""
    from outlay.httpx2 import transport
    from outlay.openai import wrap

    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()

    def answer(request):
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    policy = {"budget": [{"name": "day", "limit": {"tokens": 100_000, "calls": 10}}]}
    guard, provider = Guard(policy, clock=ManualClock()), httpx2.MockTransport(answer)
    if way == "transport":
        http = httpx2.Client(transport=transport(guard, inner=provider))
        client = openai.OpenAI(base_url="http://127.0.0.1/v1", api_key="x", http_client=http)
    else:
        http = httpx2.Client(transport=provider)
        client = wrap(openai.OpenAI(base_url="http://127.0.0.1/v1", api_key="x", http_client=http), guard)
    if way == "agents":
        http = httpx2.AsyncClient(transport=provider)
        bare = openai.AsyncOpenAI(base_url="http://127.0.0.1/v1", api_key="x", http_client=http)
        asyncio.run(ask_as_agents_do(OpenAIResponsesModel("m", bare), guard))
    else:
        stream = client.responses.create(model="m", input="hi", max_output_tokens=1_000, stream=True)
        with contextlib.suppress(openai.APIError):
            list(stream)
    limits = guard.snapshot()[0]["limits"]
    assert (limits["tokens"]["used"], limits["calls"]["used"]) == (tokens, 1)


# Each chunk says something that no other says: the input, the cache, a total above the sum, the output.
CHUNKS = (
    {"usage": {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 130}},
    {"usage": {"prompt_tokens": 0, "completion_tokens": 40}},
    {"usage": {"prompt_tokens": 90, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 80}}},
    {"usage": {"input_tokens": 1, "output_tokens": 1, "cost_micros_usd": 9}},
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(CHUNKS)))))
def test_a_later_chunk_takes_nothing_back(order):
    """Of each count the largest stays, and no total of an earlier chunk is below the sum of its parts."""
    seen = StreamUsage()
    for number in order:
        seen.add(CHUNKS[number])
    told = {name: count for name, count in seen.fields().items() if count}
    assert told == {"input_tokens": 100, "output_tokens": 40, "cache_read_tokens": 80, "cost_micros_usd": 9}
    assert Usage(**told).total_tokens == 140


@pytest.mark.parametrize("total", [None, 100, 130, 700])
def test_a_total_that_was_told_before_the_output_says_nothing_of_a_cut_stream(total):
    """The output that was reserved is booked in full, above whatever the stream had counted."""
    layer = make_layer(SharedPool(), made_by="test")
    fields = {"input_tokens": 100, "output_tokens": 0}
    told = fields if total is None else {**fields, "total_tokens": total}
    booked = layer.usage(told, Prompt(model_name="m", input_tokens=90), reserved=500)
    assert (booked.input_tokens, booked.output_tokens, booked.total_tokens) == (100, 500, 600)


FAILURES = [FAILED, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}]


@pytest.mark.parametrize("failed", FAILURES, ids=["response.failed", "error"])
@pytest.mark.parametrize(("before", "tokens"), [((), 0), ((BEGUN,), 0), ((BEGUN, PIECE), 1_090)])
@pytest.mark.parametrize("raises", [False, True])
def test_a_stream_that_fails_before_its_first_piece_costs_no_tokens(raises, before, tokens, failed):
    """Of every wrap: whether its host ends the stream or raises."""
    guard = Guard({"budget": [{"name": "day", "limit": {"tokens": 100_000, "calls": 10}}]})
    prompt = Prompt(model_name="m", input_tokens=90, output_limit=1_000)
    call, seen = (
        ModelCall([make_layer(guard, made_by="test")], prompt, lambda refusal: refusal),
        StreamUsage(),
    )
    call.reserve()
    for chunk in (*before, failed):
        seen.add(chunk)
    if raises:
        call.fail(RuntimeError("the stream failed"), seen)
    else:
        call.finish(seen)
    limits = guard.snapshot()[0]["limits"]
    assert (limits["tokens"]["used"], limits["tokens"]["reserved"], limits["calls"]["used"]) == (tokens, 0, 1)
