"""The loopback server of several APIs, seen by the providers' own clients."""

import doctest
import http.client
import json

import pytest
from openai_support import post

from outlay.testing import ProviderServer, Reply, provider_server

TOOLS = [
    {"name": "look_up", "args": {"word": "a"}, "id": "call-1"},
    {"name": "add", "args": {"a": 1, "b": 2}},
]
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 20},
}


@pytest.fixture
def openai_client():
    """Make OpenAI's client."""
    openai = pytest.importorskip("openai")
    return lambda server: openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0, timeout=10)


@pytest.fixture
def anthropic_client():
    """Make Anthropic's client."""
    anthropic = pytest.importorskip("anthropic")
    return lambda server: anthropic.Anthropic(
        base_url=server.anthropic_url, api_key="none", max_retries=0, timeout=10
    )


@pytest.fixture
def gemini_client():
    """Make Google's client; it is kept, for one that is collected closes its connections."""
    genai = pytest.importorskip("google.genai")
    kept = []

    def make(server):
        options = genai.types.HttpOptions(base_url=server.gemini_url, timeout=10_000)
        kept.append(genai.Client(api_key="none", http_options=options))
        return kept[-1]

    return make


def test_the_docstring_examples_run():
    results = doctest.testmod(provider_server)
    assert results.attempted > 0
    assert results.failed == 0


def test_openai_chat_is_answered_and_billed(openai_client):
    with ProviderServer([Reply(text="Hello there.", usage=USAGE)]) as server:
        client = openai_client(server)
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert answer.choices[0].message.content == "Hello there."
        assert answer.usage.prompt_tokens_details.cached_tokens == 30
        assert (server.billed[0]["api"], server.billed[0]["model"]) == ("chat", "m")
        assert server.billed[0]["total_tokens"] == 150


def test_openai_responses_carry_text_and_function_calls(openai_client):
    with ProviderServer([Reply(text="Hello there.", tool_calls=TOOLS, usage=USAGE)]) as server:
        answer = openai_client(server).responses.create(model="m", input="Hi", instructions="Be brief.")
        assert answer.output_text == "Hello there."
        calls = [item for item in answer.output if item.type == "function_call"]
        assert [(call.name, json.loads(call.arguments)) for call in calls] == [
            ("look_up", {"word": "a"}),
            ("add", {"a": 1, "b": 2}),
        ]
        assert calls[0].call_id == "call-1"
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 50)
        assert answer.usage.input_tokens_details.cached_tokens == 30
        assert answer.usage.output_tokens_details.reasoning_tokens == 20


def test_openai_responses_stream_accumulates_in_the_clients_own_helper(openai_client):
    with ProviderServer([Reply(text="one two three", tool_calls=TOOLS)]) as server:
        with openai_client(server).responses.stream(model="m", input="Hi") as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            answer = stream.get_final_response()
        assert deltas == ["one ", "two ", "three"]
        assert answer.output_text == "one two three"
        assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
        assert answer.usage.total_tokens == server.billed[0]["total_tokens"]
        assert server.billed[0]["api"] == "responses"


def test_openai_embeddings_give_one_vector_a_text(openai_client):
    with ProviderServer([Reply()]) as server:
        answer = openai_client(server).embeddings.create(model="m", input=["one", "two"])
        assert len(answer.data) == 2
        assert answer.usage.prompt_tokens == server.billed[0]["prompt_tokens"] == 2 * (4 + 1)
        assert server.billed[0]["api"] == "embeddings"


def test_anthropic_messages_exclude_the_cache_from_their_input(anthropic_client):
    with ProviderServer([Reply(text="Hello.", tool_calls=TOOLS, usage=USAGE)]) as server:
        answer = anthropic_client(server).messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        )
        assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]
        assert answer.content[2].input == {"a": 1, "b": 2}
        assert answer.stop_reason == "tool_use"
        usage = answer.usage
        assert (usage.input_tokens, usage.output_tokens) == (60, 50)
        assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (30, 10)
        assert server.billed[0]["total_tokens"] == 150


def test_anthropic_stream_accumulates_in_the_clients_own_helper(anthropic_client):
    with ProviderServer([Reply(text="one two", tool_calls=TOOLS, usage=USAGE)]) as server:
        messages = anthropic_client(server).messages
        sent = [{"role": "user", "content": "Hi"}]
        with messages.stream(model="m", max_tokens=9, messages=sent) as stream:
            assert list(stream.text_stream) == ["one ", "two"]
            answer = stream.get_final_message()
        assert answer.content[1].input == {"word": "a"}
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (60, 50)


def test_gemini_excludes_thoughts_from_its_candidates(gemini_client):
    with ProviderServer([Reply(text="Hello.", tool_calls=TOOLS, usage=USAGE)]) as server:
        answer = gemini_client(server).models.generate_content(model="gemini-x", contents="Hi")
        assert answer.text == "Hello."
        assert [call.name for call in answer.function_calls] == ["look_up", "add"]
        usage = answer.usage_metadata
        assert (usage.prompt_token_count, usage.candidates_token_count) == (100, 30)
        assert (usage.thoughts_token_count, usage.cached_content_token_count) == (20, 30)
        assert usage.total_token_count == 150
        assert (server.billed[0]["api"], server.billed[0]["model"]) == ("gemini", "gemini-x")
        assert server.requests[0]["contents"]


def test_gemini_stream_tells_the_running_usage(gemini_client):
    with ProviderServer([Reply(text="one two", usage=USAGE)]) as server:
        chunks = list(gemini_client(server).models.generate_content_stream(model="m", contents="Hi"))
        assert [chunk.text for chunk in chunks] == ["one ", "two"]
        assert [chunk.usage_metadata.candidates_token_count for chunk in chunks] == [15, 30]
        assert chunks[-1].usage_metadata.total_token_count == 150


def test_errors_have_the_shape_of_their_api(openai_client, anthropic_client, gemini_client):
    slow = Reply(status=429, text="slow down", headers={"retry-after": "7"})
    with ProviderServer([slow, slow, slow]) as server:
        import anthropic
        import openai
        from google.genai import errors

        with pytest.raises(openai.RateLimitError, match="slow down") as first:
            openai_client(server).responses.create(model="m", input="Hi")
        assert first.value.response.headers["retry-after"] == "7"
        with pytest.raises(anthropic.RateLimitError, match="slow down") as second:
            anthropic_client(server).messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
            )
        assert second.value.body["error"]["type"] == "rate_limit_error"
        with pytest.raises(errors.ClientError, match="slow down") as third:
            gemini_client(server).models.generate_content(model="m", contents="Hi")
        assert (third.value.code, third.value.status) == (429, "RESOURCE_EXHAUSTED")
        assert server.billed == []


def test_the_rate_limit_speaks_each_api():
    now = 0.0
    with ProviderServer([Reply(text="x")] * 9, tokens_per_minute=7, clock=lambda: now) as server:
        chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        assert post(server, chat)[0] == 200
        status, headers, body = post(server, chat, "/v1/messages")
        assert (status, headers["anthropic-ratelimit-tokens-remaining"]) == (429, "1")
        assert body["error"]["type"] == "rate_limit_error"
        sent = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        status, headers, body = post(server, sent, "/v1beta/models/m:generateContent")
        assert (status, body["error"]["details"][0]["retryDelay"]) == (429, "60s")
        assert server.refused == 2


def test_the_wrong_path_and_the_wrong_body_are_refused():
    with ProviderServer([]) as server:
        assert post(server, {}, "/v1/other")[0] == 404
        assert post(server, b"{", "/v1/messages")[0] == 400
        assert server.calls == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_answer_breaks_off_is_billed_whole_and_the_next_one_is_served(stream):
    with ProviderServer([Reply(text="one two three", disconnect=True), Reply(text="whole")]) as server:
        with pytest.raises(http.client.IncompleteRead) as broken:
            post(server, {"messages": [{"role": "user", "content": "Hi"}], "stream": stream})
        assert b"one " in broken.value.partial
        assert b"usage" not in broken.value.partial
        assert not stream or b"two" not in broken.value.partial
        assert server.billed[0]["completion_tokens"] == 4
        assert server.aborted == 0
        assert post(server, {"messages": []})[2]["choices"][0]["message"]["content"] == "whole"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
def test_a_cut_stream_without_a_piece_of_text_breaks_off_too(path):
    with ProviderServer([Reply(disconnect=True)]) as server, pytest.raises(http.client.IncompleteRead):
        post(server, {"stream": True}, path)
