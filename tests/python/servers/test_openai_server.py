"""The loopback server, seen by the real langchain-openai client and by a bare socket."""

import doctest
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai_support import chat, events, post

from outlay.testing import openai_server
from outlay.testing.openai_server import OpenAIServer, Reply, count_tokens


@pytest.fixture
def client() -> Iterator[Any]:
    """Make the real client: a factory that takes the server."""
    module = pytest.importorskip("langchain_openai")

    def make(server: OpenAIServer, **more: Any) -> Any:
        options = {"max_retries": 0, "timeout": 10, "model": "gpt-scripted"} | more
        return module.ChatOpenAI(api_key="not-needed", base_url=server.base_url, **options)

    return make


def test_the_docstring_examples_run():
    results = doctest.testmod(openai_server)
    assert results.attempted > 0
    assert results.failed == 0


def test_a_list_is_answered_in_order_and_requests_are_kept():
    with OpenAIServer([Reply(text="one"), Reply(text="two")]) as server:
        answers = [post(server, chat(text))[2] for text in ("a", "b")]
        assert [answer["choices"][0]["message"]["content"] for answer in answers] == ["one", "two"]
        assert [request["messages"][0]["content"] for request in server.requests] == ["a", "b"]
        assert server.calls == 2


def test_default_usage_grows_with_the_history_and_is_billed():
    with OpenAIServer(lambda request: Reply(text="x" * 40)) as server:
        first = post(server, chat("hello"))[2]["usage"]
        second = post(server, chat("hello", "x" * 40, "more"))[2]["usage"]
        assert (first["prompt_tokens"], first["completion_tokens"], first["total_tokens"]) == (6, 10, 16)
        assert second["prompt_tokens"] == (4 + 2) + (4 + 10) + (4 + 1)
        assert server.billed == [first, second]


def test_tool_schemas_and_tool_calls_count_as_tokens():
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    with OpenAIServer(lambda request: Reply(tool_calls=[{"name": "f", "args": {"x": 1}}])) as server:
        bare = post(server, chat("hello"))[2]["usage"]
        usage = post(server, chat("hello", tools=tools))[2]["usage"]
        assert usage["prompt_tokens"] - bare["prompt_tokens"] == count_tokens(json.dumps(tools))
        assert usage["completion_tokens"] > 0


@pytest.mark.parametrize("asked", [True, False])
def test_stream_shows_usage_only_where_asked_but_bills_always(asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    with OpenAIServer([Reply(text="a b c")]) as server:
        status, _, stream = post(server, chat("hi", stream=True, **options))
        chunks = events(stream)
        assert status == 200
        text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
        assert text == "a b c"
        shown = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        assert shown == (server.billed if asked else [])
        assert len(server.billed) == 1
        if asked:
            assert chunks[-1]["choices"] == []


def test_an_error_has_its_status_headers_and_message():
    with OpenAIServer([Reply(status=429, text="slow down", headers={"retry-after": "7"})]) as server:
        status, headers, body = post(server, chat("hi"))
        assert (status, headers["retry-after"], body["error"]["message"]) == (429, "7", "slow down")
        assert body["error"]["type"] == "rate_limit_error"
        assert server.billed == []


def test_usage_none_reports_and_bills_nothing():
    with OpenAIServer([Reply(text="x", usage=None)]) as server:
        assert "usage" not in post(server, chat("hi"))[2]
        assert server.billed == []


def test_given_usage_is_completed():
    with OpenAIServer([Reply(usage={"prompt_tokens": 3, "completion_tokens": 4})]) as server:
        usage = post(server, chat("hi"))[2]["usage"]
        assert usage["total_tokens"] == 7
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0
        assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


def test_a_failing_script_says_so_and_is_remembered():
    with OpenAIServer([]) as server:
        status, _, body = post(server, chat("hi"))
        assert status == 400
        assert "0 replies" in body["error"]["message"]
        assert [type(error) for error in server.errors] == [IndexError]


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [(b"{", "/v1/chat/completions", 400), (b"[]", "/v1/chat/completions", 400), (b"{}", "/v1/other", 404)],
)
def test_what_is_no_chat_request_is_refused_and_not_counted(body, path, expected):
    with OpenAIServer([]) as server:
        assert post(server, body, path)[0] == expected
        assert server.calls == 0


def test_parallel_requests_are_all_answered():
    with OpenAIServer(lambda request: Reply(text=request["messages"][0]["content"])) as server:
        texts = [f"text {number}" for number in range(64)]
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda text: post(server, chat(text))[2], texts))
        assert [answer["choices"][0]["message"]["content"] for answer in answers] == texts
        assert server.calls == len(server.billed) == 64


def test_the_server_is_used_in_a_with_block_only():
    server = OpenAIServer([])
    with pytest.raises(RuntimeError, match="with block"):
        _ = server.base_url


def test_closing_ends_a_held_answer_and_twice_is_harmless():
    refused = threading.Event()

    def ask():
        try:
            post(server, chat("hi"))
        except (OSError, http.client.HTTPException):
            refused.set()

    with OpenAIServer([Reply(text="never", gate=threading.Event())]) as server:
        thread = threading.Thread(target=ask)
        thread.start()
        assert server.wait_for(lambda: server.calls == 1)
    server.close()
    thread.join(10)
    assert refused.is_set()
    assert server.aborted == 0


def test_the_real_client_gets_text_usage_and_tool_calls(client):
    replies = [Reply(text="hello"), Reply(tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}])]
    with OpenAIServer(replies) as server:
        model = client(server)
        message = model.invoke("hi")
        assert message.text == "hello"
        assert message.usage_metadata["total_tokens"] == server.billed[0]["total_tokens"]
        call = model.invoke("add").tool_calls[0]
        assert (call["name"], call["args"], call["id"]) == ("add", {"a": 1, "b": 2}, "c1")


def test_the_real_client_streams_tool_calls_and_usage(client):
    calls = [{"name": "add", "args": {"a": 1}}, {"name": "add", "args": {"a": 2}}]
    with OpenAIServer([Reply(text="thinking hard", tool_calls=calls)]) as server:
        chunks = list(client(server, stream_usage=True).stream("hi"))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        assert whole.text == "thinking hard"
        assert [call["args"] for call in whole.tool_calls] == [{"a": 1}, {"a": 2}]
        assert whole.usage_metadata["total_tokens"] == server.billed[0]["total_tokens"]


def test_a_client_that_leaves_a_held_stream_is_noticed_and_billed(client):
    with OpenAIServer([Reply(text="a b c", gate=threading.Event())]) as server:
        stream = client(server).stream("hi")
        assert next(stream).text.strip() == "a"
        stream.close()
        assert server.wait_for(lambda: server.aborted == 1)
        assert len(server.billed) == 1


def test_an_open_gate_lets_a_stream_go_on(client):
    gate = threading.Event()
    with OpenAIServer([Reply(text="a b c", gate=gate)]) as server:
        stream = client(server).stream("hi")
        first = next(stream).text
        gate.set()
        assert first + "".join(chunk.text for chunk in stream) == "a b c"
        assert server.aborted == 0
