"""The usage of Anthropic's SDK: writes for an hour, compaction, an input of 0."""

from __future__ import annotations

import http.server
import json
import threading

import anthropic
import pytest

from outlay import Guard
from outlay.anthropic import wrap
from outlay.testing import Reply

HOUR = {
    "prompt_tokens": 10_100,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cache_write_tokens": 10_000, "cache_write_1h_tokens": 4_000},
}
ROW = {"input": "3", "output": "15", "cache_write": "3.75"}
COST = 100 * 3 + 6_000 * 3.75 + 4_000 * 6 + 10 * 15


def stream(client, **request):
    with client.messages.stream(**request) as events:
        return events.get_final_text()


def create(client, **request):
    return client.messages.create(**request).content[0].text


@pytest.mark.parametrize("ask", [create, stream])
@pytest.mark.parametrize("model", ["claude-test", "m"])
def test_a14_a_write_for_an_hour_is_priced_as_one(serve, client, make_pool, hi, ask, model):
    """By the name of the model, and by the provider; in a stream only its start tells how long."""
    server, pool = serve([Reply(text="Hello", usage=HOUR)] * 2), make_pool(capacity_cost_micros_usd=10**6)
    request = {**hi, "model": model}
    assert ask(wrap(client(server), pool, prices={model: ROW}), **request) == "Hello"
    used = pool.committed()
    assert (used.cache_write_tokens, used.cache_write_1h_tokens) == (10_000, 4_000)
    assert used.cost_micros_usd == COST
    guard = Guard({"prices": {model: ROW}, "budget": [{"name": "all", "limit": {"usd": "1"}}]})
    assert ask(wrap(client(server), guard), **request) == "Hello"
    assert guard.snapshot()[0]["limits"]["cost_micros_usd"]["used"] == COST


USAGE = {
    "input_tokens": 23_000,
    "output_tokens": 1_000,
    "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ],
}
ANSWER = {"id": "x", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}


@pytest.fixture
def compacting():
    """Serve the answer of a call that was compacted, as one body or as a stream; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            kind, body = "application/json", json.dumps({**ANSWER, "usage": USAGE})
            if asked.get("stream"):
                begun = {**ANSWER, "usage": {"input_tokens": 23_000, "output_tokens": 1}}
                events = [
                    {"type": "message_start", "message": begun},
                    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
                    {"type": "message_stop"},
                ]
                lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
                kind, body = "text/event-stream", "".join(lines)
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a05_compaction_without_cache_counts_is_booked(compacting, make_pool, hi, streamed):
    pool = make_pool(10**6)
    client = wrap(anthropic.Anthropic(api_key="none", base_url=compacting, max_retries=0), pool)
    answer = client.beta.messages.create(**hi, betas=["compact-2026-01-12"], stream=streamed)
    for _ in answer if streamed else ():
        pass
    client.close()
    assert pool.committed().total_tokens == 207_500


@pytest.mark.parametrize("ask", [create, stream])
def test_a02_an_answer_without_an_input_books_its_estimate(serve, client, pool, hi, ask):
    server = serve([Reply(text="Hello", usage={"prompt_tokens": 0, "completion_tokens": 16})])
    request = {**hi, "messages": [{"role": "user", "content": "word " * 5_000}]}
    ask(wrap(client(server), pool), **request)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (8_334 + 4, 16)
