"""The middleware of the plain MCP servers: each `tools/call` is one step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from outlay._errors import LimitExceeded
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
            step = self.layer.charge(name if isinstance(name, str) else "")
        except LimitExceeded as refusal:
            return refused(refusal)
        with step:
            return await call_next(ctx)
