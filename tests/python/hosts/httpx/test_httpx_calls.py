"""Transports and guarded clients of httpx and httpx2: what is a call, and what it books."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import pickle
import sys
import zlib
from types import SimpleNamespace

import pytest
from httpx_support import HI_ESTIMATE, USAGE, hi

import outlay
from outlay import BudgetExceeded, PolicyError, RateLimiter, SharedPool
from outlay._http.request import provider_of, read_request
from outlay.testing import Reply

GEMINI = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 100}}
REQUESTS = {
    "/v1/chat/completions": hi(),
    "/v1/responses": {"model": "m", "input": "Hi", "max_output_tokens": 100},
    "/v1/messages": hi(),
    "/v1beta/models/gemini-x:generateContent": GEMINI,
    "/v1/embeddings": {"model": "m", "input": ["Hi", "Hello"]},
}
STREAMS = {
    "/v1/chat/completions": hi(stream=True, stream_options={"include_usage": True}),
    "/v1/responses": {"model": "m", "input": "Hi", "max_output_tokens": 100, "stream": True},
    "/v1/messages": hi(stream=True),
    "/v1beta/models/gemini-x:streamGenerateContent?alt=sse": GEMINI,
}


def billed(server):
    return sum(usage["total_tokens"] for usage in server.billed)


@pytest.mark.parametrize("path", REQUESTS)
def test_an_answer_books_what_the_provider_bills(serve, guard, pool, path):
    # Embeddings have no text.
    server = serve([Reply(text="" if "embeddings" in path else "Hello")] * 2)
    url, body = server.gemini_url + path, REQUESTS[path]
    with guard.client(pool) as client:
        assert client.post(url, json=body).json()

    async def run():
        async with guard.async_client(pool) as client:
            return (await client.post(url, json=body)).json()

    assert asyncio.run(run())
    assert pool.committed().total_tokens == billed(server) > 0


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_books_what_the_provider_bills(serve, guard, pool, path):
    server = serve([Reply(text="one two three")] * 2)
    url, body = server.gemini_url + path, STREAMS[path]
    with guard.client(pool) as client, client.stream("POST", url, json=body) as response:
        text = "".join(response.iter_text())

    async def run():
        async with guard.async_client(pool) as client, client.stream("POST", url, json=body) as response:
            return "".join([text async for text in response.aiter_text()])

    assert "three" in asyncio.run(run())
    assert "three" in text
    assert pool.committed().total_tokens == billed(server) > 0


@pytest.mark.parametrize("path", {**REQUESTS, **STREAMS})
def test_a_refused_call_never_reaches_the_provider(serve, guard, make_pool, path):
    server = serve([])
    pool = make_pool(capacity_tokens=1)
    url, body = server.gemini_url + path, {**REQUESTS, **STREAMS}[path]
    with guard.client(pool) as client, pytest.raises(BudgetExceeded) as refused:
        client.post(url, json=body)
    assert refused.value.limit == 1

    async def run():
        async with guard.async_client(pool) as client:
            await client.post(url, json=body)

    with pytest.raises(BudgetExceeded):
        asyncio.run(run())
    assert server.calls == 0


def answer(hx, content=b"{}", **headers):
    return hx.MockTransport(lambda request: hx.Response(200, headers=headers, content=content))


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("GET", "/v1/models", {}),
        ("POST", "/v1/messages/count_tokens", {"json": hi()}),
        ("POST", "/v1beta/models/g:countTokens", {"json": GEMINI}),
        ("POST", "/v1/moderations", {"json": {"input": "Hi"}}),
        ("POST", "/v1/files", {"files": {"file": b"Hi"}}),
        ("POST", "/v1/batches", {"json": {"input_file_id": "f"}}),
        ("POST", "/v1/batches", {"json": [1, 2]}),
        ("POST", "/v1/batches", {"content": b"{", "headers": {"content-type": "application/json"}}),
    ],
)
def test_what_asks_no_model_passes(hx, guard, make_pool, method, path, given):
    with guard.client(make_pool(capacity_tokens=1), inner=answer(hx)) as client:
        assert client.request(method, f"http://test{path}", **given).json() == {}


def test_a_body_that_was_read_already_is_booked(hx, guard, pool):
    body = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
    with guard.client(pool, inner=answer(hx, body)) as client:
        assert client.post("http://test/chat/completions", json=hi()).json()
    assert pool.committed().total_tokens == 7


def pieces(hx, content, size=7, **headers):
    """Answer with a body that arrives in small pieces."""

    class Body(hx.SyncByteStream):
        def __iter__(self):
            for start in range(0, len(content), size):
                yield content[start : start + size]

    return hx.MockTransport(lambda request: hx.Response(200, headers=headers, stream=Body()))


EVENTS = b"".join(
    b"event: x\r\ndata: %s\r\n\r\n" % json.dumps(event).encode()
    for event in (
        {"choices": [{"delta": {"content": "the usage of \u00e9"}}], "usage": None},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    )
)


def test_events_are_read_across_pieces(hx, guard, pool):
    for size in (1, 2, 7, 1000):
        inner = pieces(hx, EVENTS + b"data: [DONE]", size, **{"content-type": "text/event-stream"})
        with guard.client(pool, inner=inner) as client:
            assert client.post("http://test/chat/completions", json=hi()).content.endswith(b"[DONE]")
    assert pool.committed().total_tokens == 4 * 7


def test_compressed_answers_are_read(hx, guard, pool):
    body = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
    for content, kind in ((body, "application/json"), (EVENTS, "text/event-stream")):
        headers = {"content-type": kind, "content-encoding": "gzip"}
        with guard.client(pool, inner=pieces(hx, gzip.compress(content), **headers)) as client:
            assert client.post("http://test/chat/completions", json=hi()).content == content
    assert pool.committed().total_tokens == 2 * 7


def test_sound_costs_the_estimate(hx, guard, pool):
    inner = pieces(hx, b"\x00" * 100, **{"content-type": "audio/mpeg"})
    with guard.client(pool, inner=inner, output_tokens=50) as client:
        answer = client.post("http://test/v1/audio/speech", json={"model": "m", "input": "Hi there"})
    assert len(answer.content) == 100
    assert pool.committed().total_tokens == 3 + 4 + 50


def frame(payload, name=b":event-type", value=b"chunk"):
    """Return one frame as AWS encodes it: the lengths, a checksum, the headers, the payload, a checksum."""
    body = json.dumps(payload).encode()
    headers = bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
    prelude = (16 + len(headers) + len(body)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    head = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + body
    return head + zlib.crc32(head).to_bytes(4, "big")


def test_frames_of_bedrock_are_read(hx, guard, pool):
    events = (
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    )
    coded = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    frames = b"".join(frame({"bytes": text}) for text in coded)
    for size in (1, 10, 1000):
        inner = pieces(hx, frames, size, **{"content-type": "application/vnd.amazon.eventstream"})
        with guard.client(pool, inner=inner) as client:
            client.post("http://test/model/claude/invoke-with-response-stream", json=hi())
    assert pool.committed().total_tokens == 3 * 7


def test_gemini_streams_that_are_one_list_are_read(hx, guard, pool):
    told = [{"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": made}} for made in (1, 4)]
    with guard.client(pool, inner=pieces(hx, json.dumps(told).encode())) as client:
        client.post("http://test/v1beta/models/g:streamGenerateContent", json=GEMINI)
    assert pool.committed().total_tokens == 7


def test_an_answer_without_usage_costs_the_estimate(serve, guard, pool):
    server = serve([Reply(text="Hello", usage=None)] * 2)
    with guard.client(pool) as client:
        client.post(server.base_url + "/chat/completions", json=hi())
        client.post(server.base_url + "/chat/completions", json=hi(stream=True))
    assert pool.committed().total_tokens == 2 * HI_ESTIMATE


def test_what_is_no_success_gives_its_lease_back(serve, guard, make_pool):
    server = serve([Reply(status=429), Reply(status=500), Reply(status=404), Reply(text="Hello")])
    pool = make_pool(capacity_tokens=HI_ESTIMATE)
    with guard.client(pool) as client:
        told = [client.post(server.base_url + "/chat/completions", json=hi()).status_code for _ in range(4)]
    assert told == [429, 500, 404, 200]
    assert pool.committed().total_tokens == billed(server)


def test_a_failed_call_is_charged_where_the_budget_says_so(serve, guard, make_pool):
    server = serve([Reply(status=429), Reply(status=500)])
    pool = make_pool(on_error="charge")
    with guard.client(pool) as client:
        client.post(server.base_url + "/chat/completions", json=hi())
        assert pool.committed().total_tokens == 0
        client.post(server.base_url + "/chat/completions", json=hi())
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_connection_error_releases_its_lease(hx, serve, guard, pool):
    server = serve([])
    url = server.base_url + "/chat/completions"
    server.close()
    with guard.client(pool) as client, pytest.raises(hx.ConnectError):
        client.post(url, json=hi())
    assert pool.committed().total_tokens == 0


def test_a_limiter_is_told_the_headers(serve, guard):
    headers = {"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "40"}
    server = serve([Reply(text="Hello", headers=headers)] * 2)
    for stream in (False, True):
        with guard.client(RateLimiter(100_000)) as client:
            client.post(server.base_url + "/chat/completions", json=hi(stream=stream))
            with pytest.raises(outlay.RateLimitExceeded):
                client.post(server.base_url + "/chat/completions", json=hi())
    assert server.calls == 2


def test_a_limiter_is_told_of_a_429(serve, guard):
    server = serve([Reply(status=429, headers={"retry-after": "60"})])
    limiter = RateLimiter(100_000)
    with guard.client(limiter) as client:
        assert client.post(server.base_url + "/chat/completions", json=hi()).status_code == 429
    assert not limiter.try_acquire()


def test_stacked_wraps_charge_an_account_once(hx, faces, serve, make_pool):
    server = serve([Reply(text="Hello", usage=USAGE)])
    shared, own = make_pool(), make_pool()
    stack = faces.transport([shared, own], inner=faces.transport(shared))
    with faces.wrap(faces.wrap(hx.Client(transport=stack), shared), own) as client:
        client.post(server.base_url + "/chat/completions", json=hi())
    assert shared.committed().total_tokens == own.committed().total_tokens == 37


def test_a_refusal_further_in_releases_what_is_further_out(hx, faces, make_pool):
    outer, inner = make_pool(on_error="charge"), make_pool(capacity_tokens=1)
    client = faces.wrap(hx.Client(transport=faces.transport(inner)), outer)
    with client, pytest.raises(BudgetExceeded):
        client.post("http://test/chat/completions", json=hi())
    assert outer.committed().total_tokens == 0


def test_prices_go_by_the_model_in_body_or_path(serve, guard, make_pool):
    server = serve([Reply(text="Hello", usage={"prompt_tokens": 1_000, "completion_tokens": 0})] * 2)
    pool = make_pool(capacity_cost_micros_usd=1_000_000)
    prices = {"m": {"input": "1", "output": "1"}, "gemini-x": {"input": "2", "output": "1"}}
    with guard.client(pool, prices=prices) as client:
        client.post(server.base_url + "/chat/completions", json=hi())
        client.post(server.gemini_url + "/v1beta/models/gemini-x:generateContent", json=GEMINI)
        with pytest.raises(PolicyError, match="unknown"):
            client.post(server.base_url + "/chat/completions", json=hi(model="unknown"))
    assert pool.committed().cost_micros_usd == 3_000
    with pytest.raises(PolicyError, match="prices"):
        guard.client(pool)


def test_the_original_stays_unguarded(hx, faces, serve, make_pool):
    server = serve([Reply(text="Hello")])
    original = hx.Client(base_url=server.base_url, headers={"x-mine": "1"})
    guarded = faces.wrap(original, make_pool(capacity_tokens=1))
    assert isinstance(guarded, hx.Client)
    assert guarded.headers["x-mine"] == "1"
    with pytest.raises(BudgetExceeded):
        guarded.post("/chat/completions", json=hi())
    with original:
        assert original.post("/chat/completions", json=hi()).status_code == 200


def test_a_copy_that_is_dropped_leaves_the_connections_to_the_original(hx, faces, serve, make_pool):
    class Closing(hx.Client):
        def __del__(self):
            self.close()

    server = serve([Reply(text="Hello")])
    original = Closing(base_url=server.base_url)
    faces.wrap(original, make_pool())
    assert original.post("/chat/completions", json=hi()).status_code == 200


@pytest.mark.parametrize("unknown", [None, "client", object()])
def test_what_is_no_client_or_transport_is_refused(faces, unknown, pool):
    with pytest.raises(PolicyError, match="Client or "):
        faces.wrap(unknown, pool)
    if unknown is not None:
        with pytest.raises(PolicyError, match="BaseTransport"):
            faces.transport(pool, inner=unknown)
        with pytest.raises(PolicyError, match="AsyncBaseTransport"):
            faces.async_transport(pool, inner=unknown)
    with pytest.raises(PolicyError, match="provider"):
        faces.transport(pool, provider=3)


def test_refusals_pickle_as_outlays_own(monkeypatch, hx, faces):
    errors = SimpleNamespace(OpenAIError=type("OpenAIError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, "openai", errors)
    client = hx.Client(transport=faces.transport(SharedPool(capacity_tokens=1)))
    with pytest.raises(errors.OpenAIError) as refused:
        client.post("http://test/chat/completions", json=hi())
    twin = pickle.loads(pickle.dumps(refused.value))
    assert type(twin) is outlay.ThresholdExceeded
    assert twin.payload == refused.value.payload


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("me.openai.azure.com", "azure"),
        ("generativelanguage.googleapis.com", "google"),
        ("API.GROQ.com", "groq"),
        ("openai.com.example.org", "openai.com.example.org"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_provider_is_read_from_the_host(host, provider):
    assert provider_of(host) == provider


def test_what_a_request_asks_for():
    prompt = read_request(
        "/v1/projects/p/models/g:generateContent", json.dumps(GEMINI).encode(), provider="x"
    )
    assert (prompt.model_name, prompt.output_limit, prompt.labels) == ("g", 100, {"provider": "x"})
    embeddings = read_request("/v1/embeddings", b'{"model": "e", "input": "Hi"}', provider="x")
    assert embeddings.output_limit == 0
    legacy = read_request("/v1/completions", b'{"model": "m", "prompt": "Hi there"}', provider="x")
    assert legacy.input_tokens == 3 + 4
