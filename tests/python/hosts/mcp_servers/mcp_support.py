"""Helpers of the MCP tests: three servers with the same tools, and a budget of the user's own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from outlay import WorkflowQuota


class Tools:
    """The tools of a server, and what ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.begun = asyncio.Event()
        self.lock = threading.Lock()

    def look_up(self, word: str) -> str:
        """Look a word up."""
        with self.lock:
            self.ran.append(word)
        return "found " + word

    def broken(self) -> str:
        """Fail."""
        self.ran.append("broken")
        raise ValueError("it broke")

    async def held(self) -> str:
        """Run until it is cancelled."""
        self.begun.set()
        await asyncio.Event().wait()
        return "never"


def plain(tools: Tools) -> MCPServer:
    server = MCPServer("words")
    for tool in (tools.look_up, tools.broken, tools.held):
        server.add_tool(tool)
    return server


def low_level(tools: Tools) -> Server:
    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        schema = {"type": "object", "properties": {}}
        names = ("look_up", "broken", "held")
        return types.ListToolsResult(tools=[types.Tool(name=name, input_schema=schema) for name in names])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        answer = getattr(tools, params.name)(**(params.arguments or {}))
        text = await answer if asyncio.iscoroutine(answer) else answer
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    return Server("words", on_list_tools=list_tools, on_call_tool=call_tool)


def fast(tools: Tools) -> Any:
    from fastmcp import FastMCP

    server = FastMCP("words")
    for tool in (tools.look_up, tools.broken, tools.held):
        server.tool(tool)
    return server


SERVERS = {"MCPServer": plain, "Server": low_level, "FastMCP": fast}


def client_of(server: Any) -> Any:
    """Return an unguarded client of any of the servers, not yet connected."""
    import fastmcp
    from mcp import Client

    return fastmcp.Client(server) if isinstance(server, fastmcp.FastMCP) else Client(server)


async def raw_call(client: Any, name: str, arguments: dict[str, Any] | None = None) -> types.CallToolResult:
    """Call a tool and return the protocol's own result, whichever client it is."""
    call = getattr(client, "call_tool_mcp", None) or client.call_tool
    return await call(name, arguments or {})


async def outcome(client: Any, name: str, arguments: dict[str, Any] | None = None) -> str:
    """Call a tool and say how it went: some servers answer a broken tool with an error of the protocol."""
    try:
        result = await raw_call(client, name, arguments)
    except MCPError:
        return "protocol error"
    return "error result" if result.is_error else "ran"


def text_of(result: types.CallToolResult) -> str:
    return result.content[0].text


def token_of(steps: int, **more: Any) -> Any:
    return WorkflowQuota.hourly(1_000, steps, **more).begin_workflow("w-1")


class Own:
    """A user's own budget that keeps what it was asked and how its leases ended."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.asked: list[dict[str, str]] = []
        self.ended: list[str] = []

    def reserve(self, estimate: Any, **labels: str) -> Any:
        """Refuse, or give out a lease."""
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(labels)
        return _Lease(self)


class _Lease:
    def __init__(self, owner: Own) -> None:
        self.owner = owner

    def commit(self, usage: Any = None) -> None:
        """Note it."""
        self.owner.ended.append("commit")

    def release(self) -> None:
        """Note it."""
        self.owner.ended.append("release")

    def close(self) -> None:
        """Note it."""
        self.owner.ended.append("close")
