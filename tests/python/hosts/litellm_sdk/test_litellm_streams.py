"""LiteLLM's streams, guarded: booked by the provider's usage, whoever asked for it."""

from __future__ import annotations

import asyncio
import gc
import threading

import litellm
import pytest

from outlay import LimitExceeded
from outlay.litellm import wrap
from outlay.testing import Reply

TEXT = "Hello there, all of you."


class Reader:
    """Reads a stream of either kind to a number of chunks, or to its end."""

    def __init__(self, kind):
        self.kind = kind
        self.original = litellm.completion if kind == "sync" else litellm.acompletion

    async def open(self, pool, arguments, **keywords):
        """Begin a guarded stream."""
        if self.kind == "sync":
            return wrap(self.original, pool, **keywords)(stream=True, **arguments)
        return await wrap(self.original, pool, **keywords)(stream=True, **arguments)

    async def read(self, stream, count=1_000):
        """Return its next chunks."""
        chunks = []
        while len(chunks) < count:
            try:
                chunks.append(next(stream) if self.kind == "sync" else await anext(stream))
            except (StopIteration, StopAsyncIteration):
                break
        return chunks

    async def close(self, stream):
        """Close it."""
        if self.kind == "sync":
            stream.close()
        else:
            await stream.aclose()


@pytest.fixture(params=["sync", "async"])
def reader(request):
    return Reader(request.param)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def test_a_usage_that_nobody_asked_for_is_booked_and_hidden(reader, serve, ask, pool):
    server = serve([Reply(text=TEXT)])
    chunks = await reader.read(await reader.open(pool, ask(server)))
    assert text_of(chunks) == TEXT
    assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]


async def test_a_usage_that_was_asked_for_is_shown(reader, serve, ask, pool):
    server = serve([Reply(text=TEXT)])
    arguments = ask(server, stream_options={"include_usage": True})
    chunks = await reader.read(await reader.open(pool, arguments))
    assert chunks[-1].usage.total_tokens == server.billed[0]["total_tokens"]
    assert pool.committed().total_tokens == server.billed[0]["total_tokens"]
    assert arguments["stream_options"] == {"include_usage": True}


async def test_where_the_provider_told_none_the_estimate_is_booked(reader, serve, ask, pool, hi_estimate):
    """LiteLLM makes up a usage for such a stream by a tokenizer of its own."""
    server = serve([Reply(text=TEXT, usage=None)])
    await reader.read(await reader.open(pool, ask(server)))
    assert pool.committed().total_tokens == hi_estimate


async def test_a_stream_that_is_closed_early_is_charged(reader, serve, ask, pool, hi_estimate):
    gate = threading.Event()
    server = serve([Reply(text=TEXT, gate=gate)])
    stream = await reader.open(pool, ask(server))
    assert len(await reader.read(stream, 1)) == 1
    await reader.close(stream)
    assert pool.committed().total_tokens == hi_estimate
    await reader.close(stream)
    assert pool.committed().total_tokens == hi_estimate
    assert await asyncio.to_thread(server.wait_for, lambda: server.aborted == 1)


async def test_a_stream_that_is_thrown_away_is_charged(reader, serve, ask, pool, hi_estimate):
    server = serve([Reply(text=TEXT)] * 2)
    stream = await reader.open(pool, ask(server))
    await reader.read(stream, 1)
    del stream
    gc.collect()
    assert pool.committed().total_tokens == hi_estimate
    unread = await reader.open(pool, ask(server))
    del unread
    gc.collect()
    assert pool.committed().total_tokens == 2 * hi_estimate


async def test_a_refused_stream_never_reaches_the_provider(reader, serve, ask, make_pool):
    server = serve([])
    with pytest.raises(LimitExceeded):
        await reader.open(make_pool(100), ask(server))
    assert server.calls == 0


async def test_an_error_before_the_stream_gives_the_lease_back(reader, serve, ask, pool):
    server = serve([Reply(status=500, text="down")])
    with pytest.raises(litellm.InternalServerError):
        await reader.open(pool, ask(server))
    assert pool.committed().total_tokens == 0


async def test_a_cancelled_stream_is_charged(serve, ask, pool, hi_estimate):
    gate = threading.Event()
    server = serve([Reply(text=TEXT, gate=gate)])
    reader, begun = Reader("async"), asyncio.Event()

    async def read():
        async for _ in await reader.open(pool, ask(server)):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().total_tokens == hi_estimate


async def test_two_wraps_charge_a_stream_once_and_hide_the_usage(serve, ask, make_pool):
    server = serve([Reply(text=TEXT)])
    shared, extra = make_pool(), make_pool()
    stream = wrap(wrap(litellm.completion, [shared, extra]), shared)(stream=True, **ask(server))
    chunks = list(stream)
    assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    billed = server.billed[0]["total_tokens"]
    assert (shared.committed().total_tokens, extra.committed().total_tokens) == (billed, billed)


def test_the_stream_still_is_what_litellm_makes(serve, ask, pool):
    server = serve([Reply(text=TEXT)])
    with wrap(litellm.completion, pool)(stream=True, **ask(server)) as stream:
        assert isinstance(stream, litellm.CustomStreamWrapper)
        assert stream.custom_llm_provider == "openai"
        whole = litellm.stream_chunk_builder(list(stream))
    assert whole.choices[0].message.content == TEXT


def test_tool_calls_come_through(serve, ask, pool):
    call = {"name": "look_up", "args": {"word": "a"}, "id": "c1"}
    server = serve([Reply(tool_calls=[call])])
    stream = wrap(litellm.completion, pool)(stream=True, **ask(server))
    calls = [one for chunk in stream for one in chunk.choices[0].delta.tool_calls or ()]
    assert calls[0].function.name == "look_up"
