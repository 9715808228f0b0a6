"""A streamed answer that a client's helper cannot parse: it is billed, and booked as reported."""

from __future__ import annotations

import asyncio
import importlib

import pytest
from pydantic import BaseModel

from outlay._http import ReadAhead
from outlay.testing import Reply

openai = pytest.importorskip("openai")

from outlay.openai import wrap  # noqa: E402

USAGE = {"prompt_tokens": 100, "completion_tokens": 50}
HI = [{"role": "user", "content": "hi"}]
MODERN = int(openai.VERSION.partition(".")[0]) >= 3
HX = importlib.import_module("httpx2" if MODERN else "httpx")
FACES = importlib.import_module(f"outlay.{HX.__name__}")


class Word(BaseModel):
    """What an answer is to be parsed as."""

    word: str


def chat(client, **more):
    return client.chat.completions.stream(model="m", messages=HI, response_format=Word, **more)


def told(client):
    return chat(client, stream_options={"include_usage": True})


def tools(client):
    strict = openai.pydantic_function_tool(Word)
    return client.chat.completions.stream(model="m", messages=HI, tools=[strict])


def responses(client):
    return client.responses.stream(model="m", input="hi", text_format=Word)


def messages(client):
    return client.messages.stream(model="m", max_tokens=1_000, messages=HI, output_format=Word)


def of_openai(server, kind, **options):
    return kind(base_url=server.base_url, api_key="none", max_retries=0, **options)


def wrapped(server, pool):
    return wrap(of_openai(server, openai.OpenAI), pool), wrap(of_openai(server, openai.AsyncOpenAI), pool)


def over_transport(server, pool):
    http = HX.Client(transport=FACES.transport(pool))
    ahttp = HX.AsyncClient(transport=FACES.async_transport(pool))
    return (
        of_openai(server, openai.OpenAI, http_client=http),
        of_openai(server, openai.AsyncOpenAI, http_client=ahttp),
    )


def anthropics(server, pool):
    anthropic = pytest.importorskip("anthropic")
    from outlay.anthropic import wrap as guarded

    options = {"base_url": server.anthropic_url, "api_key": "none", "max_retries": 0}
    kinds = (anthropic.Anthropic, anthropic.AsyncAnthropic)
    return tuple(guarded(kind(**options), pool) for kind in kinds)


CALLS = {
    "openai-chat": (wrapped, chat),
    "openai-chat-tools": (wrapped, tools),
    "openai-responses": (wrapped, responses),
    "anthropic": (anthropics, messages),
    "httpx-chat": (over_transport, told),
    "httpx-responses": (over_transport, responses),
}
BAD_CALL = {"name": "Word", "args": {"wrong": 1}}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("cut_short", [False, True])
def test_what_does_not_parse_is_booked_as_reported(serve, make_pool, name, cut_short):
    make, ask = CALLS[name]
    what = {"tool_calls": [BAD_CALL]} if name.endswith("tools") else {"text": '{"word":'}
    reply = Reply(usage=USAGE, cut_short=cut_short, **what)
    server, pool, other = serve(reply, reply), make_pool(), make_pool()
    with (
        pytest.raises(Exception, match=r"validation error|length limit"),
        ask(make(server, pool)[0]) as stream,
    ):
        list(stream)
    assert (pool.committed().total_tokens, pool.open_leases()) == (150, [])

    async def run():
        async with ask(make(server, other)[1]) as stream:
            async for _ in stream:
                pass

    with pytest.raises(Exception, match=r"validation error|length limit"):
        asyncio.run(run())
    assert (other.committed().total_tokens, other.open_leases()) == (150, [])


@pytest.mark.parametrize("name", CALLS)
def test_what_parses_comes_through_as_without_a_budget(serve, make_pool, name):
    make, ask = CALLS[name]
    what = (
        {"tool_calls": [{"name": "Word", "args": {"word": "a"}}]}
        if name.endswith("tools")
        else {"text": '{"word": "a"}'}
    )
    pool = make_pool()
    with ask(make(serve(Reply(usage=USAGE, **what)), pool)[0]) as stream:
        kinds = [event.type for event in stream]
    assert any(kind.endswith("delta") or kind == "text" for kind in kinds)
    assert pool.committed().total_tokens == 150


def test_more_of_an_answer_is_not_kept_back():
    ahead = ReadAhead(active=True)
    done = b'data: {"type": "response.output_text.done"}\n'
    item = b'data: {"type": "response.output_item.done"}\n'
    more = b'data: {"type": "response.output_item.added"}\n'
    assert [ahead.passed(line, ended=False) for line in (done, item)] == [b"", b""]
    assert ahead.passed(more, ended=False) == done + item + more
    assert ahead.passed(b"data: 1\n", ended=False) == b"data: 1\n"


def test_a_name_over_two_pieces_is_seen_and_an_empty_one_is_none():
    ahead = ReadAhead(active=True)
    empty = b'data: {"finish_reason": ""}\n'
    assert ahead.passed(empty, ended=False) == empty
    first, second = b'data: {"finish_re', b'ason": "stop"}\n'
    assert ahead.passed(first, ended=False) == first
    assert ahead.passed(second, ended=False) == b""
    assert ahead.passed(b"data: [DONE]\n", ended=True) == second + b"data: [DONE]\n"


def test_what_is_kept_back_comes_before_the_error_of_a_broken_stream(make_pool):
    last = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    schema = {"type": "json_schema", "json_schema": {"name": "w", "schema": {}}}
    body = {"model": "m", "messages": HI, "stream": True, "response_format": schema}

    class Broken(HX.SyncByteStream):
        def __iter__(self):
            yield last
            raise HX.ReadError("cut")

    headers, pool, seen = {"content-type": "text/event-stream"}, make_pool(), []
    inner = HX.MockTransport(lambda _: HX.Response(200, headers=headers, stream=Broken()))
    client = HX.Client(transport=FACES.transport(pool, inner=inner))
    asked = client.stream("POST", "http://test/v1/chat/completions", json=body)
    with pytest.raises(HX.ReadError), client, asked as response:
        seen.extend(response.iter_bytes())
    assert seen == [last]
    assert pool.committed().output_tokens == 1_024
