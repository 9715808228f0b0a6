"""Budgets for MCP: `BudgetMiddleware` and `wrap` charge one step for each tool call.

A step is what `WorkflowToken`, `AgentTokenBudget`, `AgentBudget` and a user's own objects count. A refused
tool does not run: the caller, in most hosts a model, reads the refusal's JSON as a tool result with
`isError`, and the session goes on. `wrap_sampling` charges what a server asks of the client's model.

Example:
    >>> import asyncio
    >>> from mcp import Client
    >>> from mcp.server.mcpserver import MCPServer
    >>> from outlay import WorkflowQuota
    >>> from outlay.mcp import wrap
    >>> server = MCPServer("words")
    >>> @server.tool()
    ... def look_up(word: str) -> str:
    ...     return "found " + word
    >>> server = wrap(server, WorkflowQuota.hourly(10, 1).begin_workflow("w-1"))
    >>> async def twice():
    ...     async with Client(server) as client:
    ...         return [(await client.call_tool("look_up", {"word": word})).is_error for word in "ab"]
    >>> asyncio.run(twice())
    [False, True]

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import mcp  # noqa: F401
except ImportError as missing:
    raise ImportError("outlay.mcp needs MCP: pip install outlay[mcp]") from missing

from outlay.mcp._sampling import wrap_sampling
from outlay.mcp._wrap import wrap

if TYPE_CHECKING:
    from outlay.mcp._middleware import BudgetMiddleware

__all__ = ["BudgetMiddleware", "wrap", "wrap_sampling"]


def __getattr__(name: str) -> Any:
    # FastMCP takes a second to import, and the plain servers and clients do without it.
    if name == "BudgetMiddleware":
        try:
            from outlay.mcp._middleware import BudgetMiddleware
        except ModuleNotFoundError as missing:
            raise ImportError("BudgetMiddleware needs FastMCP: pip install outlay[mcp]") from missing
        return BudgetMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
