"""Streams through a transport of httpx or httpx2: they pass at once, and are booked wherever they end."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from httpx_support import HI_ESTIMATE, USAGE, hi

from outlay.testing import Reply

TEXT = "one two three"
# A messages stream that is left before the provider told its output: the input, and max_tokens.
CUT = 27 + 100


@pytest.fixture
def held(serve):
    """Return a server that holds every stream after its first piece."""
    gate = threading.Event()
    yield serve(lambda request: Reply(text=TEXT, usage=USAGE, gate=gate))
    gate.set()


@pytest.fixture
def url(held):
    """Return the path that streams Anthropic's messages."""
    return held.anthropic_url + "/v1/messages"


def test_pieces_pass_while_the_provider_still_writes(held, guard, pool, url):
    # The server holds the rest until its gate is set, and it is not.
    with guard.client(pool) as client, client.stream("POST", url, json=hi(stream=True)) as response:
        parts = response.iter_text()
        assert "message_start" in next(parts)
        assert pool.reserved().total_tokens == HI_ESTIMATE
    assert pool.committed().total_tokens == CUT
    assert held.wait_for(lambda: held.aborted == 1)


def test_a_stream_that_is_never_read_costs_the_estimate(guard, pool, url):
    with guard.client(pool) as client, client.stream("POST", url, json=hi(stream=True)):
        pass
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_dropped_stream_is_charged(guard, pool, url):
    with guard.client(pool) as client:
        response = client.send(client.build_request("POST", url, json=hi(stream=True)), stream=True)
        lines = response.iter_lines()
        next(lines)
        del response, lines
        gc.collect()
        assert pool.open_leases() == []
    assert pool.committed().total_tokens == CUT


def test_a_stream_that_is_dropped_unread_is_charged(guard, make_pool, url):
    """The provider has begun to answer: also where what is forgotten costs nothing."""
    pool = make_pool(unsettled="release")
    with guard.client(pool) as client:
        response = client.send(client.build_request("POST", url, json=hi(stream=True)), stream=True)
        assert len(pool.open_leases()) == 1
        del response
        gc.collect()
        assert pool.open_leases() == []
    assert pool.committed().total_tokens == HI_ESTIMATE


def test_a_cancelled_stream_is_charged(guard, pool, url):
    async def run():
        async with guard.async_client(pool) as client:
            began = asyncio.Event()

            async def read():
                async with client.stream("POST", url, json=hi(stream=True)) as response:
                    async for line in response.aiter_lines():
                        if "content_block_delta" in line:
                            began.set()

            task = asyncio.create_task(read())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert pool.committed().total_tokens == CUT


def test_a_call_cancelled_before_its_answer_costs_the_estimate(held, guard, pool, url):
    async def run():
        async with guard.async_client(pool) as client:
            task = asyncio.create_task(client.post(url, json=hi()))
            await asyncio.to_thread(held.wait_for, lambda: held.calls == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert pool.committed().total_tokens == HI_ESTIMATE


def broken(hx, *events):
    """Answer with some events and a connection that breaks after them."""

    class Body(hx.SyncByteStream):
        def __iter__(self):
            for event in events:
                yield b"data: %s\n\n" % event
            raise hx.ReadError("gone")

    headers = {"content-type": "text/event-stream"}
    return hx.MockTransport(lambda request: hx.Response(200, headers=headers, stream=Body()))


@pytest.mark.parametrize(
    ("events", "charged"),
    [
        ([], HI_ESTIMATE),
        ([b'{"choices": [{"delta": {"content": "Hi"}}]}'], HI_ESTIMATE),
        ([b'{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}'], 7),
        ([b'{"type": "error", "error": {"type": "overloaded_error"}}'], 0),
        ([b'{"choices": [{"delta": {"content": "Hi"}}]}', b'{"error": {"message": "late"}}'], HI_ESTIMATE),
    ],
)
def test_a_stream_that_breaks_is_charged_as_far_as_it_came(hx, guard, pool, events, charged):
    with guard.client(pool, inner=broken(hx, *events)) as client, pytest.raises(hx.ReadError):
        client.post("http://test/chat/completions", json=hi(stream=True))
    assert pool.committed().total_tokens == charged


@pytest.fixture
def chunks(held, hx):
    """Return a request for a stream of Gemini, each chunk of which tells the running usage."""
    url = held.gemini_url + "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    return hx.Request("POST", url, json={"contents": [{"parts": [{"text": "Hi"}]}]})


# The input, and the output of the first of three pieces: a third of ten.
TOLD = 27 + 3


def test_of_two_layers_the_inner_one_ends_first_where_the_iterator_is_closed(faces, pool, chunks):
    """One that ended later would be booked beside the layer around it."""
    transport = faces.transport(pool, inner=faces.transport(pool))
    response = transport.handle_request(chunks)
    pieces = iter(response.stream)
    next(pieces)
    pieces.close()
    assert pool.open_leases() == []
    assert pool.committed().total_tokens == TOLD
    response.close()
    transport.close()
    assert pool.committed().total_tokens == TOLD


async def test_of_two_async_layers_the_inner_one_ends_first_where_the_iterator_is_closed(faces, pool, chunks):
    """As the sync ones."""
    transport = faces.async_transport(pool, inner=faces.async_transport(pool))
    response = await transport.handle_async_request(chunks)
    pieces = aiter(response.stream)
    await anext(pieces)
    await pieces.aclose()
    assert pool.open_leases() == []
    assert pool.committed().total_tokens == TOLD
    await response.aclose()
    await transport.aclose()
    assert pool.committed().total_tokens == TOLD
