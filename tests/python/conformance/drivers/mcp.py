"""A FastMCP server and its client: a budget of tool calls, which are steps and not calls of a model."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import fastmcp

from outlay.mcp import wrap


class Driver:
    """Tool calls through a guarded server."""

    name = "mcp"
    package = "fastmcp"
    gaps: ClassVar = {
        "allow": "a tool call has no tokens",
        "deny": "a tool call has no tokens: see five_tools",
        "exact_usage": "a tool call has no tokens",
        "stream_with_usage": "a tool call has no tokens",
        "stream_without_usage": "a tool call has no tokens",
        "early_close": "a tool call is no stream",
        "cancel_before": "a step is never waited for",
        "cancel_during": "a tool call has no tokens: tests/python/mcp_servers hold it for steps",
        "provider_error": "a tool call is no call of a model",
        "retry_inside": "a tool call is no call of a model",
        "retry_outside": "a tool call is no call of a model",
        "fallback": "a tool call is no call of a model",
        "threads": "a tool call has no tokens: tests/python/mcp_servers hold it for steps",
        "sub_agent": "a server has no agents",
        "internal_call": "a tool call is no call of a model",
        "stacked": "a tool call has no tokens: tests/python/mcp_servers hold it for steps",
        "cache_hit": "a tool call is no call of a model",
        "no_open_leases": "a step has no lease",
        "exception_type": "a refusal is a tool result with isError, as MCP wants it",
    }

    async def five_tools(self, server, budget):
        """Call five tools at once, as an agent's host does."""
        words = fastmcp.FastMCP("words")

        @words.tool
        def look_up(word: str) -> str:
            return f"found {word}"

        async with fastmcp.Client(wrap(words, budget)) as client:
            calls = (client.call_tool_mcp("look_up", {"word": word}) for word in "abcde")
            return [result.content[0].text for result in await asyncio.gather(*calls)]


DRIVER = Driver()
