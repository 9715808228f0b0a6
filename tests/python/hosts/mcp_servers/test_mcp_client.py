"""Tool calls of real MCP clients, under a budget of steps."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import fastmcp
import pytest
from fastmcp.exceptions import ToolError
from mcp import Client, ClientSession
from mcp.shared.memory import create_client_server_memory_streams
from mcp_support import Own, Tools, fast, low_level, plain, raw_call, text_of, token_of

from outlay.mcp import wrap


@asynccontextmanager
async def session_of(tools, guard):
    """Connect a bare ClientSession over streams in memory, wrapped before it is entered."""
    server = low_level(tools)
    async with create_client_server_memory_streams() as (mine, its):
        serving = asyncio.create_task(server.run(*its, server.create_initialization_options()))
        async with guard(ClientSession(*mine)) as session:
            await session.initialize()
            yield session
        serving.cancel()


@asynccontextmanager
async def client_of(tools, guard):
    async with guard(Client(plain(tools))) as client:
        yield client


@asynccontextmanager
async def fast_client_of(tools, guard):
    async with guard(fastmcp.Client(fast(tools))) as client:
        yield client


@pytest.fixture(params=[session_of, client_of, fast_client_of], ids=["ClientSession", "Client", "fastmcp"])
def connect(request):
    return request.param


async def test_each_call_is_a_step_and_a_refused_one_is_not_sent(connect):
    tools, token = Tools(), token_of(1)
    async with connect(tools, lambda client: wrap(client, token)) as client:
        first = await raw_call(client, "look_up", {"word": "a"})
        second = await raw_call(client, "look_up", {"word": "b"})
        await client.list_tools()
    assert (first.is_error, second.is_error, tools.ran) == (False, True, ["a"])
    assert json.loads(text_of(second))["error"] == "workflow_quota_exceeded"
    assert token.steps_executed() == 1


async def test_of_five_parallel_calls_exactly_three_are_sent(connect):
    tools = Tools()
    async with connect(tools, lambda client: wrap(client, token_of(3))) as client:
        calls = (raw_call(client, "look_up", {"word": str(number)}) for number in range(5))
        results = await asyncio.gather(*calls)
    assert sum(not result.is_error for result in results) == len(tools.ran) == 3


async def test_a_cancelled_call_is_charged(connect):
    tools, own, token = Tools(), Own(), token_of(5)
    async with connect(tools, lambda client: wrap(client, [own, token], agent="scout")) as client:
        call = asyncio.create_task(raw_call(client, "held"))
        await asyncio.wait_for(tools.begun.wait(), 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert (own.asked, own.ended) == ([{"agent": "scout", "tool": "held"}], ["commit"])
    assert token.steps_executed() == 1


async def test_two_wraps_charge_an_account_once(connect):
    shared, extra = token_of(9), token_of(9)
    async with connect(Tools(), lambda client: wrap(wrap(client, shared), [extra, shared])) as client:
        await raw_call(client, "look_up", {"word": "a"})
    assert (shared.steps_executed(), extra.steps_executed()) == (1, 1)


async def test_the_class_stays_and_others_of_it_are_free(connect):
    token = token_of(9)
    async with connect(Tools(), lambda client: client) as free:
        assert wrap(free, token) is free
        assert isinstance(free, ClientSession | Client | fastmcp.Client)
        async with connect(Tools(), lambda client: client) as other:
            await raw_call(other, "look_up", {"word": "a"})
    assert token.steps_executed() == 0


async def test_fastmcps_call_tool_raises_its_own_error_with_the_json():
    async with wrap(fastmcp.Client(fast(Tools())), token_of(1)) as client:
        assert (await client.call_tool("look_up", {"word": "a"})).data == "found a"
        with pytest.raises(ToolError) as caught:
            await client.call_tool("look_up", {"word": "b"})
        assert json.loads(str(caught.value))["error"] == "workflow_quota_exceeded"
        quiet = await client.call_tool("look_up", {"word": "b"}, raise_on_error=False)
        assert quiet.is_error


async def test_a_new_client_of_a_wrapped_one_is_guarded_and_has_its_own_session():
    token = token_of(2)
    wrapped = wrap(fastmcp.Client(fast(Tools())), token)
    async with wrapped, wrapped.new() as fresh:
        results = [await raw_call(client, "look_up", {"word": "a"}) for client in (wrapped, fresh, fresh)]
    assert [result.is_error for result in results] == [False, False, True]
