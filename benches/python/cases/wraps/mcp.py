"""A tool call of a FastMCP server through its middleware; the tool returns a result that is there."""

from __future__ import annotations

from typing import Any

from fastmcp.server.middleware import Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp.types import CallToolRequestParams, TextContent
from timing import PLENTY, Loop

import outlay
from cases import floors
from outlay.mcp import BudgetMiddleware

GROUP = floors.with_floors("MCP: what the middleware adds", awaits=True)
BARE = "FastMCP, a middleware that does nothing"
ANSWER = ToolResult(content=[TextContent(type="text", text="found a")])


async def tool(_context: Any) -> ToolResult:
    return ANSWER


def calling(middleware: Middleware) -> Loop:
    message = CallToolRequestParams(name="look_up", arguments={"word": "a"})
    context = MiddlewareContext(message=message, method="tools/call")

    async def run(count):
        for _ in range(count):
            await middleware(context, tool)

    return run


@GROUP.case(BARE)
def bare() -> Loop:
    return calling(Middleware())


@GROUP.case("MCP: `BudgetMiddleware(token)`", less=BARE)
def wrapped() -> Loop:
    token = outlay.WorkflowQuota.hourly(1, PLENTY).begin_workflow("w")
    return calling(BudgetMiddleware(token))
