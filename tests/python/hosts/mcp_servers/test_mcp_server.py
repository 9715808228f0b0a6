"""Tool calls of real MCP servers, under a budget of steps."""

from __future__ import annotations

import asyncio
import json

import pytest
from mcp_support import SERVERS, Own, Tools, client_of, outcome, raw_call, text_of, token_of

from outlay import (
    AgentTokenBudget,
    Guard,
    PolicyError,
    RateLimiter,
    SharedPool,
    StepLimitExceeded,
    WorkflowQuota,
)
from outlay.mcp import wrap


@pytest.fixture(params=SERVERS)
def make_server(request):
    return SERVERS[request.param]


async def test_a_step_is_charged_for_each_tool_call(make_server):
    tools, quota = Tools(), WorkflowQuota.hourly(10, 5)
    token = quota.begin_workflow("w-1")
    async with client_of(wrap(make_server(tools), token)) as client:
        for word in ("a", "b"):
            result = await raw_call(client, "look_up", {"word": word})
            assert not result.is_error
            assert text_of(result) == "found " + word
        await client.list_tools()
    assert tools.ran == ["a", "b"]
    assert token.steps_executed() == 2


async def test_a_refused_tool_does_not_run_and_the_session_goes_on(make_server):
    tools = Tools()
    async with client_of(wrap(make_server(tools), token_of(1))) as client:
        await raw_call(client, "look_up", {"word": "a"})
        refused = await raw_call(client, "look_up", {"word": "b"})
        assert refused.is_error
        said = json.loads(text_of(refused))
        assert (said["type"], said["details"]["total"], said["details"]["remaining"]) == ("step_limit", 1, 0)
        assert tools.ran == ["a"]
        assert len(await list_names(client)) == 3


async def list_names(client):
    listed = await client.list_tools()
    return [tool.name for tool in getattr(listed, "tools", listed)]


async def test_of_five_parallel_calls_exactly_three_run(make_server):
    tools = Tools()
    async with client_of(wrap(make_server(tools), token_of(3))) as client:
        calls = (raw_call(client, "look_up", {"word": str(number)}) for number in range(5))
        results = await asyncio.gather(*calls)
    assert sorted(result.is_error for result in results) == [False, False, False, True, True]
    assert len(tools.ran) == 3


async def test_the_operation_is_named_like_the_tool(make_server):
    budget = AgentTokenBudget.hourly("agent-1", 10, operation_costs={"look_up": 4})
    tools = Tools()
    async with client_of(wrap(make_server(tools), budget)) as client:
        results = [await raw_call(client, "look_up", {"word": word}) for word in "abc"]
    assert [result.is_error for result in results] == [False, False, True]
    assert budget.remaining() == 2


async def test_labels_reach_a_users_own_budget(make_server):
    own = Own()
    async with client_of(wrap(make_server(Tools()), own, agent="scout", run="r-1")) as client:
        await raw_call(client, "look_up", {"word": "a"})
    assert own.asked == [{"agent": "scout", "run": "r-1", "tool": "look_up"}]
    assert own.ended == ["commit"]


async def test_a_list_is_decided_in_one_step(make_server):
    rich, poor = token_of(9), token_of(0)
    async with client_of(wrap(make_server(Tools()), [rich, poor])) as client:
        assert (await raw_call(client, "look_up", {"word": "a"})).is_error
    assert rich.steps_executed() == 0


async def test_a_tool_that_fails_has_made_a_step(make_server):
    token = token_of(1)
    async with client_of(wrap(make_server(Tools()), token)) as client:
        assert await outcome(client, "broken") in ("error result", "protocol error")
        assert (await raw_call(client, "look_up", {"word": "a"})).is_error
    assert token.steps_executed() == 1


async def test_a_cancelled_call_has_made_a_step(make_server):
    tools, own, token = Tools(), Own(), token_of(5)
    async with client_of(wrap(make_server(tools), [token, own])) as client:
        call = asyncio.create_task(raw_call(client, "held"))
        await asyncio.wait_for(tools.begun.wait(), 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not (await raw_call(client, "look_up", {"word": "a"})).is_error
    assert token.steps_executed() == 2
    assert sorted(own.ended) == ["commit", "commit"]


async def test_a_tool_that_does_not_exist_is_a_step_too(make_server):
    token = token_of(5)
    async with client_of(wrap(make_server(Tools()), token)) as client:
        assert await outcome(client, "no_such_tool") != "ran"
    assert token.steps_executed() == 1


async def test_a_name_that_no_operation_can_have_is_charged_all_the_same(make_server):
    budget = AgentTokenBudget.hourly("agent-1", 1)
    async with client_of(wrap(make_server(Tools()), budget)) as client:
        await outcome(client, "x" * 2_000)
        result = await raw_call(client, "y" * 2_000)
    assert budget.remaining() == 0
    assert json.loads(text_of(result))["details"]["total"] == 1


async def test_two_wraps_of_one_server_charge_an_account_once(make_server):
    shared, extra = token_of(9), token_of(9)
    server = wrap(wrap(make_server(Tools()), shared), [shared, extra])
    async with client_of(server) as client:
        await raw_call(client, "look_up", {"word": "a"})
    assert (shared.steps_executed(), extra.steps_executed()) == (1, 1)


async def test_prices_are_a_keyword_as_of_every_wrap(make_server):
    """They are no label, and are checked, though a tool call has no tokens."""
    own = Own()
    server = wrap(make_server(Tools()), own, prices={"m": {"input": "1", "output": "2"}})
    async with client_of(server) as client:
        await raw_call(client, "look_up", {"word": "a"})
    assert [set(labels) for labels in own.asked] == [{"tool"}]
    with pytest.raises(PolicyError, match="output"):
        wrap(make_server(Tools()), own, prices={"m": {"input": "1"}})


async def test_an_error_of_the_users_budget_is_no_refusal(make_server):
    tools = Tools()
    async with client_of(wrap(make_server(tools), Own(RuntimeError("no database")))) as client:
        assert await outcome(client, "look_up", {"word": "a"}) in ("error result", "protocol error")
    assert tools.ran == []


def test_what_cannot_be_wrapped_is_refused_with_what_can():
    with pytest.raises(PolicyError, match=r"FastMCP server.*not object"):
        wrap(object(), token_of(1))
    for budget in (SharedPool(capacity_tokens=10), RateLimiter(10)):
        with pytest.raises(PolicyError, match=type(budget).__name__):
            wrap(SERVERS["FastMCP"](Tools()), budget)
    with pytest.raises(PolicyError, match="label run"):
        wrap(SERVERS["FastMCP"](Tools()), token_of(1), run=7)


async def test_inside_the_server_a_refusal_is_outlays_and_fastmcps():
    from fastmcp.exceptions import ToolError

    server = wrap(SERVERS["FastMCP"](Tools()), token_of(0))
    with pytest.raises(StepLimitExceeded) as caught:
        await server.call_tool("look_up", {"word": "a"})
    assert isinstance(caught.value, ToolError)
    assert caught.value.limit == 0


async def test_a_retry_middleware_does_not_repeat_a_refusal():
    from fastmcp.server.middleware.error_handling import RetryMiddleware

    own = Own(StepLimitExceeded("no"))
    asked = []
    own.reserve = lambda estimate, **labels: asked.append(labels) or (_ for _ in ()).throw(own.refusal)
    server = SERVERS["FastMCP"](Tools())
    server.add_middleware(RetryMiddleware(max_retries=3, base_delay=0))
    async with client_of(wrap(server, own)) as client:
        assert (await raw_call(client, "look_up", {"word": "a"})).is_error
    assert len(asked) == 1


async def test_a_tool_that_calls_a_tool_makes_two_steps():
    token = token_of(9)
    server = SERVERS["FastMCP"](Tools())

    @server.tool
    async def outer() -> str:
        return (await server.call_tool("look_up", {"word": "inner"})).content[0].text

    async with client_of(wrap(server, token)) as client:
        assert text_of(await raw_call(client, "outer")) == "found inner"
    assert token.steps_executed() == 2


async def test_a_tool_that_fails_has_made_a_step_of_a_guard(make_server):
    """A guard gave the call back where the server lets the tool's error through."""
    guard = Guard({"tool": [{"name": "broken", "limit": {"calls": 2}}]})
    async with client_of(wrap(make_server(Tools()), guard)) as client:
        for _ in range(3):
            await outcome(client, "broken")
    assert guard.snapshot()[0]["limits"]["calls"]["used"] == 2


async def test_two_middlewares_on_one_budget_charge_a_call_once():
    from fastmcp import Client, FastMCP

    from outlay.mcp import BudgetMiddleware

    shared, other = token_of(5), token_of(5)
    server = FastMCP("words", middleware=[BudgetMiddleware(shared), BudgetMiddleware([other, shared])])
    server.tool(Tools().look_up)
    async with Client(server) as client:
        assert await outcome(client, "look_up", {"word": "a"}) == "ran"
    assert (shared.steps_executed(), other.steps_executed()) == (1, 1)
