"""`BudgetMiddleware`: a FastMCP server whose tool calls are steps of a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from outlay import LimitExceeded
from outlay._wraps import AnyBudget
from outlay.mcp._errors import as_tool_error
from outlay.mcp._steps import StepLayer, make_step_layer

_HOSTS_WORDS = "Error calling tool"


class BudgetMiddleware(Middleware):
    """Charges one step before each tool call of a FastMCP server.

    A `WorkflowToken` executes one step. An `AgentTokenBudget` consumes 1 of the operation that is named like
    the tool. An `AgentBudget` makes one call. A user's own object reserves an empty estimate, with
    `tool=NAME`, and commits it after the step. A list is decided in one step.

    A refused tool does not run: the client gets a tool result with `isError` whose text is the refusal's
    JSON. The same happens if a tool raises a refusal, such as one of its own budget. Inside the server the
    refusal is the class of outlay and FastMCP's `ToolError` in one. A step counts from its start: a tool that
    fails has made a step. Each `tools/call` is one step: also a tool that another tool of the server calls,
    and each round of a tool that asks the client for input.

    Args:
        budget: A `WorkflowToken`, `AgentTokenBudget` or `AgentBudget`, an object with the `outlay.Budget`
            protocol, or a list of them.
        agent: The calling agent, as the label `agent`; default None, no such label.
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Raises:
        PolicyError: A budget cannot count steps, or a label is given twice.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> import asyncio
        >>> from fastmcp import Client, FastMCP
        >>> from outlay import WorkflowQuota
        >>> token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> server = FastMCP("words", middleware=[BudgetMiddleware(token)])
        >>> @server.tool
        ... def look_up(word: str) -> str:
        ...     return "found " + word
        >>> async def twice():
        ...     async with Client(server) as client:
        ...         calls = [await client.call_tool_mcp("look_up", {"word": word}) for word in "ab"]
        ...         return [call.is_error for call in calls]
        >>> asyncio.run(twice())
        [False, True]

    """

    def __init__(
        self,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        agent: str | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> None:
        self.layer = make_step_layer(budget, agent, labels, named)

    @classmethod
    def of_layer(cls, layer: StepLayer) -> BudgetMiddleware:
        """Return the middleware of one `wrap`.

        Args:
            layer: Its budgets and labels.

        """
        made = cls.__new__(cls)
        made.layer = layer
        return made

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Charge a step, then run the tool; a refusal is the tool's answer."""
        try:
            with self.layer.charge(context.message.name, about=context.message):
                return await call_next(context)
        except LimitExceeded as refusal:
            raise as_tool_error(refusal) from refusal.__cause__
        except ToolError as error:
            refusal_inside = error.__cause__
            # FastMCP's own words for any exception of a tool; a tool's own error says what it wants to say.
            if isinstance(refusal_inside, LimitExceeded) and str(error).startswith(_HOSTS_WORDS):
                raise as_tool_error(refusal_inside) from refusal_inside.__cause__
            raise
