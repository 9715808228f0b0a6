"""What a stream of OpenAI's responses books that fails: before its first piece, and after it."""

from __future__ import annotations

import contextlib
import json

import httpx2
import openai
import pytest

from outlay import Guard, ManualClock

# ceil(2 bytes / 3) + 4 for the message, and max_output_tokens.
ESTIMATE = 1 + 4 + 1_000
BEGUN = {"type": "response.created", "response": {"status": "in_progress", "usage": None}}
PIECE = {"type": "response.output_text.delta", "delta": "a"}
FAILED = {"type": "response.failed", "response": {"status": "failed", "usage": None}}
PAID = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
FAILED_AND_PAID = {"type": "response.failed", "response": {"status": "failed", "usage": PAID}}


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
@pytest.mark.parametrize("way", ["client", "transport"])
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
    stream = client.responses.create(model="m", input="hi", max_output_tokens=1_000, stream=True)
    with contextlib.suppress(openai.APIError):
        list(stream)
    limits = guard.snapshot()[0]["limits"]
    assert (limits["tokens"]["used"], limits["calls"]["used"]) == (tokens, 1)
