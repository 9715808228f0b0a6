"""A FastMCP server and its client: a budget of tool calls, which are steps and not calls of a model."""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar

import fastmcp
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.middleware.error_handling import RetryMiddleware
from mcp import types

from outlay import PolicyError, WorkflowQuota
from outlay.mcp import wrap

TEXT = "Hello there, friend."


class Driver:
    """Tool calls through a guarded server."""

    name = "mcp"
    package = "fastmcp"
    steps = True
    gaps: ClassVar = {
        "stream_with_usage": "a tool call has no tokens",
        "stream_without_usage": "a tool call has no tokens",
        "early_close": "a tool call is no stream",
        "running_totals": "a tool call has no tokens",
        "input_not_reported": "a tool call has no tokens",
        "broken_stream": "a tool call is no stream",
        "broken_answer": "a tool call has no body that a provider bills",
        "stacked_layers": "a tool call is no call of a model: no transport below it is charged",
        "stacked_layers_cut": "a tool call is no stream",
        "cancel_before": "a step is never waited for",
        "provider_error": "a tool that fails has made its step",
        "timed_out": "a tool that is left has made its step",
        "error_counts_request": "a tool that fails has made its step",
        "error_in_body": "a tool that fails has made its step",
        "unparsed_answer": "a tool call has no tokens",
        "cached_names": "a tool call has no tokens",
        "cost_of_a_call": "a tool call has no tokens",
        "cost_reported": "a tool call has no tokens",
        "retry_inside": "a server does not repeat a tool call of its own accord",
        "fallback": "a server has no fallback tools",
        "sub_agent": "a server has no agents",
        "internal_call": "a server makes no calls of its own",
    }

    @contextlib.asynccontextmanager
    async def tools(self, budget, *, layers=1, cached=False, retried=False):
        """Connect a client to a guarded server."""
        server, ran = fastmcp.FastMCP("words"), []

        @server.tool
        async def look_up(word: str) -> str:
            ran.append(word)
            if word == "held":
                await asyncio.Event().wait()
            if word == "bad":
                raise ValueError(word)
            return "found " + word

        if cached:
            server.add_middleware(ResponseCachingMiddleware())
        if retried:
            server.add_middleware(RetryMiddleware(max_retries=2, base_delay=0))
        for _ in range(layers):
            server = wrap(server, budget)
        async with fastmcp.Client(server) as client:

            async def call(word):
                result = await client.call_tool_mcp("look_up", {"word": word})
                return bool(result.is_error), result.content[0].text

            yield call, ran

    async def unguarded_method(self, server, budget, unguarded):
        """Let a server ask the client's model."""
        del server, budget
        words = fastmcp.FastMCP("words")

        question = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="What?"))

        @words.tool
        async def look_up(ctx: fastmcp.Context) -> str:
            return (await ctx.session.create_message([question], max_tokens=60)).content.text

        token = WorkflowQuota.hourly(10, 5).begin_workflow("unguarded")
        # Servers ask in this way up to protocol 2025-11-25.
        client = fastmcp.Client(words, sampling_handler=lambda *asked: "A word.", mode="legacy")
        async with wrap(client, token, unguarded=unguarded):
            text = (await client.call_tool_mcp("look_up", {})).content[0].text
        if "costs money" in text:
            raise PolicyError(text[text.index("outlay.mcp") :])
        return text

    async def refused_inside_tool(self, server, budget, tool):
        """Call a tool whose own budget refuses, and another one after it."""
        del server
        words = wrap(fastmcp.FastMCP("words"), budget)
        words.tool(tool)
        async with fastmcp.Client(words) as client:
            result = await client.call_tool_mcp("look_up", {"word": "a"})
            assert result.is_error
            assert await client.list_tools()
        return result.content[0].text, TEXT

    async def five_tools(self, server, budget):
        """Call five tools at once, as an agent's host does."""
        async with self.tools(budget) as (call, _):
            return [text for _, text in await asyncio.gather(*(call(word) for word in "abcde"))]


DRIVER = Driver()
