"""Requests of a server to the client's model are charged to the client."""

from __future__ import annotations

import asyncio
import json

import fastmcp
import pytest
from mcp import Client, types
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_support import text_of

from outlay import BudgetExceeded, PolicyError, SharedPool
from outlay.mcp import wrap_sampling

# Servers ask in this way up to protocol 2025-11-25.
pytestmark = pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.MCPDeprecationWarning")
QUESTION = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="A colour?"))
ESTIMATE = 67  # 60 of output, 4 for the message, 3 for 9 bytes


def asking_server():
    server = MCPServer("asks")

    @server.tool()
    async def colour(ctx: Context) -> str:
        try:
            answer = await ctx.session.create_message([QUESTION], max_tokens=60)
        except Exception as error:
            return f"refused: {error}"
        return answer.content.text

    return server


async def mcp_answer(context, params):
    text = types.TextContent(type="text", text="Blue.")
    return types.CreateMessageResult(role="assistant", content=text, model="m")


def fast_answer(messages, params, context):
    return "Blue."


async def test_a_sampling_callback_is_charged_its_estimate_and_refused_when_there_is_no_room():
    pool = SharedPool(capacity_tokens=100)
    client = Client(
        asking_server(), mode="legacy", sampling_callback=wrap_sampling(mcp_answer, pool, agent="scout")
    )
    async with client:
        first, second = [text_of(await client.call_tool("colour")) for _ in range(2)]
    assert first == "Blue."
    assert second.startswith("refused: ")
    assert json.loads(second.removeprefix("refused: "))["details"]["total"] == 100
    assert (pool.committed().total_tokens, pool.reserved().total_tokens) == (ESTIMATE, 0)


async def test_a_sampling_handler_of_fastmcp_is_charged_the_same():
    pool = SharedPool(capacity_tokens=100)
    server = fastmcp.FastMCP("asks")

    @server.tool
    async def colour(ctx: fastmcp.Context) -> str:
        try:
            answer = await ctx.session.create_message([QUESTION], max_tokens=60)
        except Exception as error:
            return f"refused: {error}"
        return answer.content.text

    handler = wrap_sampling(fast_answer, pool)
    async with fastmcp.Client(server, sampling_handler=handler, mode="legacy") as client:
        first, second = [(await client.call_tool("colour")).data for _ in range(2)]
    assert first == "Blue."
    assert json.loads(second.removeprefix("refused: "))["details"]["total"] == 100
    assert (pool.committed().total_tokens, pool.reserved().total_tokens) == (ESTIMATE, 0)


def params():
    return types.CreateMessageRequestParams(messages=[QUESTION], max_tokens=60)


async def test_a_callback_that_fails_gives_its_estimate_back_and_a_cancelled_one_pays():
    pool = SharedPool(capacity_tokens=1_000)

    async def broken(context, params):
        raise ConnectionError("down")

    async def held(context, params):
        begun.set()
        await asyncio.Event().wait()

    with pytest.raises(ConnectionError):
        await wrap_sampling(broken, pool)(None, params())
    assert pool.committed().total_tokens == pool.reserved().total_tokens == 0
    begun = asyncio.Event()
    call = asyncio.create_task(wrap_sampling(held, pool)(None, params()))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert pool.committed().total_tokens == ESTIMATE


async def test_a_cost_limit_needs_a_price_and_is_held():
    pool = SharedPool(capacity_cost_micros_usd=1_000)
    with pytest.raises(PolicyError, match="prices"):
        wrap_sampling(fast_answer, pool)
    guarded = wrap_sampling(fast_answer, pool, prices={"input": "1.00", "output": "10.00"})
    await guarded([QUESTION], params(), None)
    assert pool.committed().cost_micros_usd == 607
    with pytest.raises(BudgetExceeded):
        await guarded([QUESTION], params(), None)


def test_only_a_function_can_be_a_callback():
    with pytest.raises(PolicyError, match="callback"):
        wrap_sampling("no", SharedPool(capacity_tokens=1))


@pytest.mark.parametrize("prices", [{"gpt-x": {"input": "1", "output": "2"}}, {"input": 1.5}, 5])
def test_prices_that_are_none_are_refused_by_name(prices):
    """They are those of one model, the client's, as text."""
    with pytest.raises(PolicyError, match="prices"):
        wrap_sampling(fast_answer, SharedPool(), prices=prices)
