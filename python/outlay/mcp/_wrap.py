"""`wrap`: a server or a client of MCP whose tool calls are steps of a budget."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mcp import ClientSession, ClientSessionGroup

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, Unguarded
from outlay.mcp._client import guard_client
from outlay.mcp._sampling import tell_sampling
from outlay.mcp._server import ToolSteps, tell_refusals
from outlay.mcp._steps import StepLayer, make_step_layer

TargetT = TypeVar("TargetT")

_ALLOWED = (
    "an MCPServer or Server of mcp 2, a FastMCP server, a Client, ClientSession or ClientSessionGroup of "
    "mcp, or a Client of FastMCP"
)


def wrap(
    target: TargetT,
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    agent: str | None = None,
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    unguarded: Unguarded = "warn",
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> TargetT:
    """Charge one step for each tool call of a server, or of a client; in place.

    A refused tool does not run, and a refused call of a client is not sent: the caller gets a tool result
    with `isError` whose text is the refusal's JSON. FastMCP's `Client.call_tool` raises its own `ToolError`
    for such a result, as for any other, unless it is called with `raise_on_error=False`.
    On a server each `tools/call` is one step; on a client each call is one, however many rounds it takes
    because the tool asks for input. A step counts from its start. The same account in two wraps of one
    server or client is charged once. A server and a client in one process are two parties: wrap one.

    Args:
        target: An `MCPServer` or low-level `Server` of mcp 2, a `FastMCP` server, a `Client`,
            `ClientSession` or `ClientSessionGroup` of mcp, or a `Client` of FastMCP.
        budget: A `WorkflowToken`, `AgentTokenBudget`, `AgentBudget`, own `outlay.Budget`, or a list of these.
        agent: The calling agent, as the label `agent`; default None, no such label.
        prices: As in every wrap, and checked as there; a tool call has no tokens that they would price.
        unguarded: A server's sampling outside `wrap_sampling`: "warn" once (default), "refuse" or "allow".
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        The same object.

    Raises:
        PolicyError: The target is none of these, a budget cannot count steps, or a label is given twice.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> import asyncio
        >>> from mcp import Client
        >>> from mcp.server.mcpserver import MCPServer
        >>> from outlay import AgentTokenBudget
        >>> server = MCPServer("words")
        >>> @server.tool()
        ... def look_up(word: str) -> str:
        ...     return "found " + word
        >>> budget = AgentTokenBudget.hourly("agent-1", 1)
        >>> async def twice():
        ...     async with wrap(Client(server), budget) as client:
        ...         return [(await client.call_tool("look_up", {"word": word})).is_error for word in "ab"]
        >>> asyncio.run(twice()), budget.remaining()
        ([False, True], 0)

    """
    if prices is not None and not isinstance(prices, PriceTable):
        PriceTable(prices)
    layer = make_step_layer(budget, agent, labels, named, unguarded)
    method = _client_method(target)
    if method is not None:
        tell_sampling(target, layer)
        return guard_client(target, layer, method)
    if _is_fastmcp(target, "FastMCP"):
        from outlay.mcp._middleware import BudgetMiddleware

        _add(target, layer, BudgetMiddleware, BudgetMiddleware.of_layer)
    elif _is_server(target):
        if _add(target, layer, ToolSteps, ToolSteps) and hasattr(target, "call_tool"):
            tell_refusals(target)
    else:
        raise PolicyError(f"target: {_ALLOWED} is allowed, not {type(target).__name__}")
    return target


def _client_method(target: Any) -> str | None:
    """Return the name of the method through which all tool calls of a client go; None if it is none."""
    if _is_fastmcp(target, "Client"):
        return "call_tool_mcp"
    if isinstance(target, ClientSession | ClientSessionGroup):
        return "call_tool"
    client = getattr(sys.modules["mcp"], "Client", None)
    return "call_tool" if client is not None and isinstance(target, client) else None


def _is_fastmcp(target: Any, name: str) -> bool:
    # Who has an object of FastMCP has imported it.
    known = getattr(sys.modules.get("fastmcp"), name, None)
    return known is not None and isinstance(target, known)


def _is_server(target: Any) -> bool:
    from mcp.server.lowlevel import Server

    try:
        from mcp.server.mcpserver import MCPServer
    except ModuleNotFoundError:  # mcp 1, whose servers have no middleware
        return False
    return isinstance(target, Server | MCPServer)


def _add(server: Any, layer: StepLayer, kind: type[Any], make: Any) -> bool:
    """Add a layer to a server's middleware; say whether it is the first of its kind."""
    others = [one.layer for one in server.middleware if isinstance(one, kind)]
    left = layer.without(others)
    if left is not None:
        server.middleware.append(make(left))
    return not others
