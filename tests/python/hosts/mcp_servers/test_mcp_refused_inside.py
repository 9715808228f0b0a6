"""A refusal that a tool raises is the tool's answer, on every server; and what a client's sampling says."""

from __future__ import annotations

import json
import logging

import fastmcp
import pytest
from fastmcp.exceptions import ToolError
from mcp import Client, types
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPDeprecationWarning

from outlay import PolicyError, SharedPool, WorkflowQuota
from outlay.mcp import wrap, wrap_sampling

pytestmark = pytest.mark.filterwarnings(f"ignore::{MCPDeprecationWarning.__module__}.MCPDeprecationWarning")
QUESTION = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="A colour?"))


@pytest.fixture
def token():
    return WorkflowQuota.hourly(10, 5).begin_workflow("w-1")


def look_up(word: str) -> str:
    """Look a word up."""
    SharedPool(capacity_tokens=100).reserve(500)
    return "found " + word


def of_fastmcp(**keywords):
    server = fastmcp.FastMCP("words", **keywords)
    server.tool(look_up)
    return server


def plain():
    server = MCPServer("words")
    server.add_tool(look_up)
    return server


def low_level():
    async def call_tool(ctx, params):
        return look_up(**params.arguments)

    async def list_tools(ctx, params):
        tool = types.Tool(name="look_up", input_schema={"type": "object", "properties": {}})
        return types.ListToolsResult(tools=[tool])

    return Server("words", on_call_tool=call_tool, on_list_tools=list_tools)


@pytest.mark.parametrize(
    "server", [of_fastmcp, lambda: of_fastmcp(mask_error_details=True), plain, low_level]
)
async def test_u04_the_caller_reads_the_refusal(server, token):
    guarded = wrap(wrap(server(), token), StepsOfMine())
    of_fast = isinstance(guarded, fastmcp.FastMCP)
    async with fastmcp.Client(guarded) if of_fast else Client(guarded) as client:
        call = client.call_tool_mcp if of_fast else client.call_tool
        result = await call("look_up", {"word": "a"})
        assert result.is_error
        assert json.loads(result.content[0].text)["details"]["requested"] == 500
        assert await client.list_tools()
    assert token.steps_executed() == 1


class StepsOfMine:
    """A user's own budget of steps."""

    def reserve(self, estimate, **labels):
        """Have room for each step."""
        return SharedPool(capacity_tokens=10).reserve(1)


async def test_a_tools_own_words_about_a_refusal_are_kept(token):
    server = fastmcp.FastMCP("words")

    @server.tool
    def ask(word: str) -> str:
        try:
            return look_up(word)
        except Exception as refusal:
            raise ToolError("Nothing left for this one.") from refusal

    async with fastmcp.Client(wrap(server, token)) as client:
        result = await client.call_tool_mcp("ask", {"word": "a"})
    assert result.content[0].text == "Nothing left for this one."


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


async def answer(context, params):
    text = types.TextContent(type="text", text="Blue.")
    return types.CreateMessageResult(role="assistant", content=text, model="m")


async def colour(token, callback, unguarded):
    client = Client(asking_server(), mode="legacy", sampling_callback=callback)
    async with wrap(client, token, unguarded=unguarded):
        return (await client.call_tool("colour", {})).content[0].text


async def test_sampling_of_a_client_is_refused_where_that_is_said(token):
    told = await colour(token, answer, "refuse")
    assert told.startswith("refused: ")
    assert "outlay.mcp: sampling costs money and no budget guards it" in told


async def test_sampling_warns_once_by_default(token, caplog, said):
    with caplog.at_level(logging.WARNING, "outlay"):
        assert [await colour(token, answer, "warn") for _ in range(2)] == ["Blue.", "Blue."]
    assert len([record for record in caplog.records if record.name == "outlay"]) == 1


@pytest.mark.parametrize("client", ["mcp", "fastmcp"])
async def test_guarded_sampling_has_no_word(token, client):
    pool = SharedPool(capacity_tokens=1_000)
    if client == "mcp":
        assert await colour(token, wrap_sampling(answer, pool), "refuse") == "Blue."
    else:
        handler = wrap_sampling(lambda messages, params, context: "Blue.", pool)
        guarded = wrap(
            fastmcp.Client(asking_server(), sampling_handler=handler, mode="legacy"),
            token,
            unguarded="refuse",
        )
        async with guarded:
            assert (await guarded.call_tool_mcp("colour", {})).content[0].text == "Blue."
    assert pool.committed().total_tokens > 0


def test_a_bad_word_is_refused(token):
    with pytest.raises(PolicyError, match="unguarded: 'warn', 'refuse' or 'allow'"):
        wrap(plain(), token, unguarded="never")
