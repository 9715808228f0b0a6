"""Streams tell their usage, hide what was not asked for, and end their lease however they end."""

from __future__ import annotations

import gc
import importlib
import json
import threading

import openai
import pytest

from outlay.openai import wrap
from outlay.openai._events import Events
from outlay.testing import Reply

MESSAGES = [{"role": "user", "content": "hi"}]
# "hi": ceil(2 bytes / 3) + 4 for the message + 1,024 for the output.
HI_ESTIMATE = 1 + 4 + 1_024
ASKED = {"stream_options": {"include_usage": True}}


def chunks_of(client, **options):
    """Ask for a stream of chat completions."""
    return client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True, **options)


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_usage_is_forced_and_its_chunk_hidden(serve, plain, pool, bill, options):
    """A caller who did not ask sees what an unguarded client shows."""
    server = serve(Reply(text="a b"), Reply(text="a b"))
    shown = list(chunks_of(wrap(plain(server), pool), **options))
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert pool.committed().total_tokens == bill(server) > 0
    usual = list(chunks_of(plain(server)))
    strip = {"id"}
    assert [c.model_dump(exclude=strip) for c in shown] == [c.model_dump(exclude=strip) for c in usual]


def test_a_caller_who_asks_sees_the_usage(serve, plain, pool, bill):
    """And the rest of the options is kept."""
    server = serve(Reply(text="a b"))
    options = {"stream_options": {"include_usage": True, "include_obfuscation": False}}
    last = list(chunks_of(wrap(plain(server), pool), **options))[-1]
    assert last.usage.total_tokens == pool.committed().total_tokens == bill(server)
    assert server.requests[0]["stream_options"] == options["stream_options"]


def test_options_in_the_extra_body_are_kept(serve, plain, pool, bill):
    """`extra_body` replaces what the method sends, so the switch is put there."""
    server = serve(Reply(text="a b"))
    extra = {"stream_options": {"include_obfuscation": False}, "top_k": 3}
    list(chunks_of(wrap(plain(server), pool), extra_body=extra))
    expected = {"include_obfuscation": False, "include_usage": True}
    assert (server.requests[0]["stream_options"], server.requests[0]["top_k"]) == (expected, 3)
    assert extra == {"stream_options": {"include_obfuscation": False}, "top_k": 3}
    assert pool.committed().total_tokens == bill(server)


def test_the_chat_helper_accumulates(serve, plain, pool, bill):
    """`chat.completions.stream()` has its own events, and tells no usage that was not asked for."""
    server = serve(Reply(text="a b"), Reply(text="a b"))
    completions = wrap(plain(server), pool).chat.completions
    with completions.stream(model="gpt-x", messages=MESSAGES) as stream:
        assert [event.delta for event in stream if event.type == "content.delta"] == ["a ", "b"]
        final = stream.get_final_completion()
    assert (final.choices[0].message.content, final.usage) == ("a b", None)
    assert pool.committed().total_tokens == bill(server)
    with completions.stream(model="gpt-x", messages=MESSAGES, **ASKED) as stream:
        assert stream.get_final_completion().usage.total_tokens == server.billed[1]["total_tokens"]
    assert pool.committed().total_tokens == bill(server)


def test_tool_calls_stream(serve, plain, pool, bill):
    """The pieces of the arguments come through."""
    server = serve(Reply(tool_calls=[{"name": "add", "args": {"a": 1}}]))
    with wrap(plain(server), pool).responses.stream(model="gpt-x", input="hi") as stream:
        call = stream.get_final_response().output[0]
    assert (call.name, json.loads(call.arguments)) == ("add", {"a": 1})
    assert pool.committed().total_tokens == bill(server)


def leave_by_close(stream):
    """Take one piece, then close."""
    next(stream)
    stream.close()


def leave_by_block(stream):
    """Leave the block."""
    with stream:
        next(stream)


def leave_by_break(stream):
    """Leave the loop, and forget the stream."""
    for _ in stream:
        break


@pytest.mark.parametrize("leave", [leave_by_close, leave_by_block, leave_by_break])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_left_early_is_closed_and_charged(serve, plain, pool, leave, api):
    """It is billed; what the rest was is not known, so the estimate is booked."""
    server = serve(Reply(text="a b c", gate=threading.Event()))
    client = wrap(plain(server), pool)
    if api == "chat":
        leave(chunks_of(client))
    else:
        leave(client.responses.create(model="gpt-x", input="hi", stream=True))
    gc.collect()
    assert server.wait_for(lambda: server.aborted == 1)
    assert pool.committed().total_tokens == HI_ESTIMATE


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_that_nobody_reads_is_charged(serve, plain, pool, api):
    """The client leaves its connection open; the lease ends when the stream is collected."""
    server = serve(Reply(text="a b c", gate=threading.Event()))
    client = wrap(plain(server), pool)
    if api == "chat":
        chunks_of(client)
    else:
        client.responses.create(model="gpt-x", input="hi", stream=True)
    gc.collect()
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_users_own_lease_ends_with_a_stream_that_nobody_reads(serve, plain):
    """Outlay's leases end by themselves; a user's must be told."""
    ended = []

    class Own:
        def reserve(self, estimate, **labels):
            return self

        def commit(self, usage=None):
            ended.append(usage)

        def release(self):
            ended.append("released")

        close = release

    server = serve(Reply(text="a b c", gate=threading.Event()))
    chunks_of(wrap(plain(server), Own()))
    gc.collect()
    assert ended == [None]


async def test_an_async_stream_left_early_is_closed_and_charged(serve, plain_async, pool):
    """As the sync one."""
    server = serve(*[Reply(text="a b c", gate=threading.Event())] * 2)
    client = wrap(plain_async(server), pool)
    stream = await chunks_of(client)
    await anext(stream)
    await stream.close()
    assert pool.committed().total_tokens == HI_ESTIMATE
    async with await client.responses.create(model="gpt-x", input="hi", stream=True) as events:
        await anext(events)
    assert pool.committed().total_tokens == 2 * HI_ESTIMATE


def test_raw_responses_of_streams_are_metered(serve, plain, pool, bill):
    """The lease ends with the stream that the raw response is parsed into."""
    server = serve(Reply(text="a b"))
    raw = wrap(plain(server), pool).chat.completions.with_raw_response
    response = raw.create(model="gpt-x", messages=MESSAGES, stream=True)
    assert pool.reserved().total_tokens == HI_ESTIMATE
    text = "".join(chunk.choices[0].delta.content or "" for chunk in response.parse())
    assert text == "a b"
    assert pool.committed().total_tokens == bill(server)


def test_lines_of_a_streaming_response_hide_the_usage_too(serve, plain, pool, bill):
    """The caller reads the events as text."""
    server = serve(Reply(text="a b"))
    streaming = wrap(plain(server), pool).chat.completions.with_streaming_response
    with streaming.create(model="gpt-x", messages=MESSAGES, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert not any('"usage"' in line for line in lines)
    assert pool.committed().total_tokens == bill(server)


def test_a_stream_whose_first_event_is_an_error_costs_nothing(serve, plain, pool):
    """The status was good, and then the provider refused."""
    reader = Events(hide=True)
    assert reader.feed(b'data: {"error": {"message": "busy"}}\n\n')
    assert reader.refused
    assert not reader.seen.started


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_events_are_read_however_they_are_cut(size):
    """Chunks of a network end anywhere."""
    piece = {"choices": [{"delta": {"content": 'she said "usage": 3'}}], "usage": None}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    body = b": comment\r\n"
    for event in (piece, usage):
        body += b"data: " + json.dumps(event).encode() + b"\r\n\r\n"
    kept = body.replace(b"data: " + json.dumps(usage).encode() + b"\r\n\r\n", b"") + b"data: [DONE]"
    body += b"data: [DONE]"
    reader = Events(hide=True)
    passed = b"".join(reader.feed(body[at : at + size]) for at in range(0, len(body), size)) + reader.end()
    assert passed == kept
    assert reader.complete
    assert (reader.seen.fields()["input_tokens"], reader.seen.fields()["output_tokens"]) == (3, 4)


def test_an_error_in_the_midst_is_charged(serve, plain, pool):
    """The pieces before it are billed; the connection that breaks is an error of the client."""
    gate = threading.Event()
    server = serve(Reply(text="a b c", gate=gate))
    stream = chunks_of(wrap(plain(server), pool))
    next(stream)
    server.close()
    with pytest.raises(Exception) as raised:
        list(stream)
    # openai 2 shows the error of httpx, openai 3 its own.
    assert isinstance(raised.value, openai.APIConnectionError) or "httpx" in type(raised.value).__module__
    assert pool.committed().total_tokens == HI_ESTIMATE


def answering(body, **options):
    """Return a client whose provider answers every request with one body of events."""
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    headers = {"content-type": "text/event-stream"}
    transport = http.MockTransport(lambda request: http.Response(200, headers=headers, content=body))
    client = openai.DefaultHttpxClient(transport=transport)
    return openai.OpenAI(base_url="http://provider/v1", api_key="none", http_client=client, **options)


@pytest.mark.parametrize(("on_error", "charged"), [("release", 0), ("charge", HI_ESTIMATE)])
def test_an_error_instead_of_a_stream_is_left_to_the_budget(make_pool, on_error, charged):
    """Some providers answer with a good status, and then refuse in the first event."""
    pool = make_pool(on_error=on_error)
    client = wrap(answering(b'data: {"error": {"message": "busy"}}\n\n'), pool)
    with pytest.raises(openai.APIError, match="busy"):
        list(chunks_of(client))
    assert pool.committed().total_tokens == charged


def test_an_error_after_a_piece_is_charged(pool):
    """What came before it is billed."""
    piece = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    client = wrap(answering(piece + b'data: {"error": {"message": "busy"}}\n\n'), pool)
    with pytest.raises(openai.APIError, match="busy"):
        list(chunks_of(client))
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_stream_without_its_last_mark_books_what_it_told(pool):
    """Some compatible servers end without [DONE], and tell the usage with the last piece."""
    usage = b'"usage": {"prompt_tokens": 3, "completion_tokens": 4}'
    body = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}], ' + usage + b"}\n\n"
    shown = list(chunks_of(wrap(answering(body), pool)))
    assert [chunk.choices[0].delta.content for chunk in shown] == ["a"]
    assert pool.committed().total_tokens == 7


def test_a_stream_of_nothing_books_the_estimate(pool):
    """The provider has read the prompt."""
    assert list(chunks_of(wrap(answering(b""), pool))) == []
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_response_that_failed_books_what_it_told(pool):
    """A stream of responses may end in failure, and tell its usage."""
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    event = {"type": "response.failed", "sequence_number": 0, "response": {"id": "r", "usage": usage}}
    body = b"event: response.failed\ndata: " + json.dumps(event).encode() + b"\n\n"
    client = wrap(answering(body), pool)
    assert len(list(client.responses.create(model="gpt-x", input="hi", stream=True))) == 1
    assert pool.committed().total_tokens == 7
