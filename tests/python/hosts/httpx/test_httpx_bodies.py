"""Bodies that say themselves what they are: events, lines and frames under any content type."""

from __future__ import annotations

import json
import zlib

import pytest

pytest.importorskip("httpx", reason="the tests need an HTTP client")

from httpx_support import HI_ESTIMATE, hi

CHAT = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32}
PIECE = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
END = {"choices": [], "usage": CHAT}
EVENTS = b"data: %s\n\ndata: %s\n\ndata: [DONE]\n\n" % (json.dumps(PIECE).encode(), json.dumps(END).encode())
OLLAMA = (
    {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False},
    {"model": "m", "done": True, "prompt_eval_count": 19, "eval_count": 13},
)
LINES = b"".join(json.dumps(line).encode() + b"\n" for line in OLLAMA)
CONVERSE = {"inputTokens": 9, "outputTokens": 13, "totalTokens": 32, "cacheReadInputTokens": 10}
URL = "http://test/v1/chat/completions"


def pieces(hx, content, size, headers):
    """Make a transport that answers with a body in pieces."""

    class Body(hx.SyncByteStream):
        def __iter__(self):
            for start in range(0, len(content), size):
                yield content[start : start + size]

    return hx.MockTransport(lambda _: hx.Response(200, headers=headers, stream=Body()))


def frame(payload, name=b":event-type", value=b"chunk"):
    """Return one frame as AWS encodes it: the lengths, a checksum, the headers, the payload, a checksum."""
    body = json.dumps(payload).encode()
    headers = bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
    prelude = (16 + len(headers) + len(body)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    head = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + body
    return head + zlib.crc32(head).to_bytes(4, "big")


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "kind",
    [
        "text/event-stream",
        "Text/Event-Stream",
        "text/plain",
        "TEXT/PLAIN; charset=utf-8",
        "application/json",
        "application/octet-stream",
        "",
    ],
)
def test_events_are_read_under_any_content_type(hx, guard, pool, kind, size):
    for content in (EVENTS, b"\xef\xbb\xbf" + EVENTS, b": hello\n\n" + EVENTS):
        inner = pieces(hx, content, size, {"content-type": kind})
        with guard.client(pool, inner=inner) as client:
            assert client.post(URL, json=hi(stream=True)).content == content
    assert pool.committed().total_tokens == 3 * 32


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "kind", ["application/x-ndjson", "Application/X-NDJSON", "application/jsonl", "text/plain", ""]
)
def test_lines_of_json_are_read_under_any_content_type(hx, guard, pool, kind, size):
    inner = pieces(hx, LINES, size, {"content-type": kind})
    with guard.client(pool, inner=inner) as client:
        client.post("http://test/api/chat", json=hi(stream=True))
    assert pool.committed().total_tokens == 32


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain", "APPLICATION/JSON"])
def test_one_json_body_is_read_under_any_content_type(hx, guard, pool, kind):
    body = json.dumps({"model": "m", **END}).encode()
    with guard.client(pool, inner=pieces(hx, body, 5, {"content-type": kind})) as client:
        client.post(URL, json=hi())
    assert pool.committed().total_tokens == 32


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_frames_of_converse_are_read(hx, guard, pool, size):
    told = (
        {"contentBlockIndex": 0, "delta": {"text": "a"}},
        {"metrics": {"latencyMs": 5}, "usage": CONVERSE},
    )
    frames = b"".join(map(frame, told))
    inner = pieces(hx, frames, size, {"content-type": "application/vnd.amazon.eventstream"})
    with guard.client(pool, inner=inner) as client:
        client.post("http://test/model/nova/converse-stream", json=hi())
    assert (pool.committed().total_tokens, pool.committed().cache_read_tokens) == (32, 10)


def test_frames_that_are_none_cost_the_estimate(hx, guard, pool):
    inner = pieces(hx, b"\x00" * 64, 10, {"content-type": "application/vnd.amazon.eventstream"})
    with guard.client(pool, inner=inner) as client:
        client.post("http://test/model/nova/converse-stream", json=hi())
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_model_of_bedrock_that_counts_in_headers_alone_is_read(hx, guard, pool):
    headers = {
        "content-type": "application/json",
        "X-Amzn-Bedrock-Input-Token-Count": "19",
        "X-Amzn-Bedrock-Output-Token-Count": "13",
    }
    with guard.client(pool, inner=pieces(hx, b'{"outputs": [{"text": "a"}]}', 9, headers)) as client:
        client.post("http://test/model/mistral/invoke", json=hi())
    assert pool.committed().total_tokens == 32


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", {"error": {"code": 502, "message": "a"}}),
        ("text/plain", {"object": "error", "message": "a"}),
        ("text/event-stream", {"error": {"code": 502, "message": "a"}}),
        ("application/json", {"choices": [{"error": {"code": 502}, "finish_reason": "error"}]}),
        ("application/json", {"base_resp": {"status_code": 1004, "status_msg": "a"}}),
    ],
)
def test_an_error_in_the_body_of_a_200_costs_nothing(hx, guard, pool, kind, body):
    content = json.dumps(body).encode()
    for sent in (content, b"data: " + content + b"\n\n"):
        with guard.client(pool, inner=pieces(hx, sent, 9, {"content-type": kind})) as client:
            client.post(URL, json=hi())
    assert pool.committed().total_tokens == 0


def test_an_error_after_a_first_piece_is_charged(hx, guard, pool):
    error = json.dumps({"error": {"code": 502, "message": "a"}}).encode()
    content = b"data: %s\n\ndata: %s\n\n" % (json.dumps(PIECE).encode(), error)
    with guard.client(pool, inner=pieces(hx, content, 9, {"content-type": "text/event-stream"})) as client:
        client.post(URL, json=hi(stream=True))
    assert pool.committed().total_tokens == HI_ESTIMATE
