"""A tool that asks back, a cache around a budget, servers in servers: what is one step."""

from __future__ import annotations

import fastmcp
import pytest
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from mcp import Client, types
from mcp.server.lowlevel import Server
from mcp_support import Tools, fast, raw_call, text_of, token_of

from outlay.mcp import BudgetMiddleware, wrap


def asking_back():
    """Return a server whose tool asks for a name before it answers."""

    async def list_tools(ctx, params):
        schema = {"type": "object", "properties": {}}
        return types.ListToolsResult(tools=[types.Tool(name="greet", input_schema=schema)])

    async def call_tool(ctx, params):
        if not params.input_responses:
            schema = {"type": "object", "properties": {"name": {"type": "string"}}}
            asked = types.ElicitRequestFormParams(message="Your name?", requested_schema=schema)
            requests = {"name": types.ElicitRequest(params=asked)}
            return types.InputRequiredResult(input_requests=requests, request_state="one")
        name = params.input_responses["name"].content["name"]
        return types.CallToolResult(content=[types.TextContent(type="text", text=f"Hello, {name}.")])

    return Server("asks", on_list_tools=list_tools, on_call_tool=call_tool)


async def answer(context, params):
    return types.ElicitResult(action="accept", content={"name": "Ann"})


@pytest.mark.parametrize(("side", "steps"), [("server", 2), ("client", 1)])
async def test_a_tool_that_asks_back_is_a_step_each_round_on_the_server_and_one_on_the_client(side, steps):
    token, server = token_of(9), asking_back()
    client = Client(wrap(server, token) if side == "server" else server, elicitation_callback=answer)
    async with wrap(client, token) if side == "client" else client as connected:
        assert text_of(await connected.call_tool("greet")) == "Hello, Ann."
    assert token.steps_executed() == steps


async def test_a_hit_of_a_cache_outside_is_free_and_a_refusal_is_not_kept():
    token, tools = token_of(1), Tools()
    server = fast(tools)
    server.add_middleware(ResponseCachingMiddleware())
    server.add_middleware(BudgetMiddleware(token))
    async with fastmcp.Client(server) as client:
        words = ("a", "a", "b", "a")
        results = [await raw_call(client, "look_up", {"word": word}) for word in words]
        assert [result.is_error for result in results] == [False, False, True, False]
        server.middleware.remove(next(one for one in server.middleware if isinstance(one, BudgetMiddleware)))
        assert text_of(await raw_call(client, "look_up", {"word": "b"})) == "found b"
    assert tools.ran == ["a", "b"]


async def test_a_mounted_server_charges_where_the_middleware_is():
    token = token_of(9)
    inner, outer = fast(Tools()), fastmcp.FastMCP("outer")
    outer.mount(wrap(inner, token), "words")
    async with fastmcp.Client(outer) as client:
        assert text_of(await raw_call(client, "words_look_up", {"word": "a"})) == "found a"
        assert token.steps_executed() == 1
        wrap(outer, token)
        await raw_call(client, "words_look_up", {"word": "a"})
    assert token.steps_executed() == 3
