"""Streams of a guarded Anthropic client: booked at their end, and also where they never come to it."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from outlay.anthropic import wrap
from outlay.testing import Reply

USAGE = {
    "prompt_tokens": 27,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
}
TEXT = "one two three four five"
# What a stream costs that is left before the provider told its output: the input, and max_tokens.
CUT = 27 + 100


@pytest.fixture
def server(serve):
    """Return a server that answers every request with the same stream."""
    return serve(lambda request: Reply(text=TEXT, usage=USAGE))


@pytest.fixture
def held(serve):
    """Return a server that holds every stream after its first piece."""
    gate = threading.Event()
    yield serve(lambda request: Reply(text=TEXT, usage=USAGE, gate=gate))
    gate.set()


def text_of(events):
    return "".join(event.delta.text for event in events if event.type == "content_block_delta")


def test_a_stream_books_start_and_delta_together(server, client, pool, hi):
    assert text_of(wrap(client(server), pool).messages.create(**hi, stream=True)) == TEXT
    booked = pool.committed()
    assert (booked.input_tokens, booked.output_tokens) == (27, 10)
    assert (booked.cache_read_tokens, booked.cache_write_tokens) == (5, 2)


def test_the_stream_helper_is_counted(server, client, pool, hi):
    guarded = wrap(client(server), pool)
    for messages in (guarded.messages, guarded.beta.messages):
        with messages.stream(**hi) as stream:
            assert "".join(stream.text_stream) == TEXT
            assert stream.get_final_message().usage.output_tokens == 10
    assert pool.committed().total_tokens == 2 * 37


def test_async_streams_are_counted(server, async_client, pool, hi):
    async def run():
        async with wrap(async_client(server), pool) as client:
            events = [event async for event in await client.messages.create(**hi, stream=True)]
            async with client.messages.stream(**hi) as stream:
                return text_of(events), "".join([text async for text in stream.text_stream])

    assert asyncio.run(run()) == (TEXT, TEXT)
    assert pool.committed().total_tokens == 2 * 37


def test_raw_events_are_counted(server, client, pool, hi):
    with wrap(client(server), pool).messages.with_streaming_response.create(**hi, stream=True) as response:
        assert b"message_stop" in b"".join(response.iter_bytes())
    assert pool.committed().total_tokens == 37


def test_a_stream_without_usage_costs_the_estimate(serve, client, pool, hi, hi_estimate):
    server = serve([Reply(text=TEXT, usage=None)])
    assert text_of(wrap(client(server), pool).messages.create(**hi, stream=True)) == TEXT
    assert pool.committed().total_tokens == hi_estimate


def test_a_stream_closed_early_is_charged(held, client, pool, hi):
    stream = wrap(client(held), pool).messages.create(**hi, stream=True)
    next(stream)
    assert pool.reserved().total_tokens > 0
    stream.close()
    assert pool.committed().total_tokens == CUT
    assert held.wait_for(lambda: held.aborted == 1)


def test_a_stream_left_by_its_context_is_charged(held, client, pool, hi):
    with wrap(client(held), pool).messages.stream(**hi) as stream:
        next(iter(stream.text_stream))
    assert pool.committed().total_tokens == CUT


@pytest.mark.parametrize("begun", [False, True])
def test_a_dropped_stream_is_charged(held, client, pool, hi, hi_estimate, begun):
    stream = wrap(client(held), pool).messages.create(**hi, stream=True)
    if begun:
        next(stream)
    del stream
    gc.collect()
    assert pool.open_leases() == []
    assert pool.committed().total_tokens == (CUT if begun else hi_estimate)


def test_a_cancelled_stream_is_charged(held, async_client, pool, hi):
    async def run():
        async with wrap(async_client(held), pool) as client:
            began = asyncio.Event()

            async def read():
                async for event in await client.messages.create(**hi, stream=True):
                    if event.type == "content_block_delta":
                        began.set()

            task = asyncio.create_task(read())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert pool.committed().total_tokens == CUT


def test_a_call_cancelled_before_its_answer_costs_the_estimate(serve, async_client, pool, hi, hi_estimate):
    gate = threading.Event()
    server = serve([Reply(text=TEXT, gate=gate)])

    async def run():
        async with wrap(async_client(server), pool) as client:
            task = asyncio.create_task(client.messages.create(**hi))
            await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    gate.set()
    assert pool.committed().total_tokens == hi_estimate


def test_an_async_stream_closed_early_is_charged(held, async_client, pool, hi):
    async def run():
        async with wrap(async_client(held), pool) as client:
            stream = await client.messages.create(**hi, stream=True)
            await anext(stream)
            await stream.close()

    asyncio.run(run())
    assert pool.committed().total_tokens == CUT


def test_a_stream_that_is_refused_by_the_provider_is_admitted_anew(serve, client, make_pool, hi, hi_estimate):
    server = serve([Reply(status=529), Reply(text=TEXT, usage=USAGE)])
    pool = make_pool(capacity_tokens=hi_estimate)
    assert text_of(wrap(client(server, max_retries=1), pool).messages.create(**hi, stream=True)) == TEXT
    assert pool.committed().total_tokens == 37
