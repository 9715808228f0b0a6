"""The middleware of the plain MCP servers: each `tools/call` is one step."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from outlay import LimitExceeded
from outlay.mcp._steps import StepLayer, refused


class ToolSteps:
    """A server middleware, as `MCPServer` and the low-level `Server` of MCP 2 take it."""

    def __init__(self, layer: StepLayer) -> None:
        self.layer = layer

    async def __call__(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Charge a step for a tool call; all other messages pass."""
        if ctx.method != "tools/call":
            return await call_next(ctx)
        # Nobody has validated the message yet: what is no name is left for the server to refuse.
        name = (ctx.params or {}).get("name")
        try:
            with self.layer.charge(name if isinstance(name, str) else ""):
                return await call_next(ctx)
        except LimitExceeded as refusal:
            # Of the step, or of what a tool of the low-level Server did.
            return refused(refusal)


def tell_refusals(server: Any) -> None:
    """Make an `MCPServer` answer a refusal that a tool raises with the refusal's JSON, in place.

    It takes any exception that is not its own `ToolError` for a crash, and shows nothing of it.
    """
    from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError

    original = server.call_tool

    @functools.wraps(original)
    async def call_tool(*args: Any, **kwargs: Any) -> Any:
        try:
            return await original(*args, **kwargs)
        except UnexpectedToolError as crash:
            refusal = crash.__cause__
            if not isinstance(refusal, LimitExceeded):
                raise
            raise ToolError(str(refusal)) from refusal

    server.call_tool = call_tool
