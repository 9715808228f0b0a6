"""`BudgetMiddleware`: it puts the tool calls or the turns of an agent under a budget."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import PrivateStateAttr, ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.errors import GraphInterrupt

from outlay import LimitExceeded, PolicyError
from outlay._wraps import (
    AnyBudget,
    Step,
    begin_run,
    charge_step,
    checked_labels,
    named_run,
    open_run,
    operation_of,
    step_budgets,
)
from outlay.langchain._errors import as_model_error
from outlay.langchain._estimate import running_agent

_numbers = itertools.count(1)
_STEPS = ("tools", "turns")
# What a step may do where it is refused; the first is the default.
_DENIED = {"tools": ("continue", "end", "error"), "turns": ("end", "error")}
_ENDS = "outlay_ends_run"
_RUN = "outlay_run"


class _RunState(AgentState[Any]):
    """The state of an agent, with its run: a checkpoint keeps it for the time when the run goes on."""

    outlay_run: NotRequired[Annotated[str, PrivateStateAttr]]


class BudgetMiddleware(AgentMiddleware[Any, Any, Any]):
    """Charges one step before each tool call of an agent, or before each of its turns.

    A `Guard` charges one call with `tool=NAME`, or one step of its workflows for a turn. A `WorkflowToken`
    executes one step. An `AgentTokenBudget` consumes 1 of the operation that is named like the tool ("query"
    for a turn). An `AgentBudget` makes one call. A user's own object reserves an empty estimate, with
    `tool=NAME` for a tool call, and commits it after the step. A list is decided in one step.

    A refused tool does not run. A tool that raises a refusal, such as that of a sub-agent's own budget, is
    answered like a refused one. `on_denied` then decides, in the words of LangChain's own limits. With
    "continue", the model reads the JSON of the refusal in an error `ToolMessage`, and can finish its answer.
    With "end", the other calls of the turn are answered, then the run ends with an `AIMessage` that holds the
    JSON. With "error", the refusal is raised. A refused turn ends the run or raises. Parallel tool calls are
    charged one by one, in no order. A step counts from its start: a tool that fails has made one. A tool that
    interrupts the graph runs again later, and pays once. Of two such middlewares on one budget the outer one
    pays; a turn and the call of its wrapped model are one step of a `WorkflowToken`.

    It opens a run for each run of the agent, so that rules with `window = "run"` count each by itself. Tools,
    sub-agents and model calls are in that run. After an interrupt the same run goes on. A run that is open
    around the agent (`guard.run`), or that `run=` or a bound view names, comes first.

    `wrap` guards the model's own calls. It also sees calls that a middleware does not see.

    Args:
        budget: A `Guard`, `WorkflowToken`, `AgentTokenBudget` or `AgentBudget`, an object with the
            `outlay.Budget` protocol, or a list of them.
        steps: What a step is: "tools" (default), each tool call; "turns", each turn of the model.
        on_denied: What a refused step does: "continue" (default, tools only), "end" (default for turns) or
            "error".
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Raises:
        PolicyError: `steps` or `on_denied` is none of those, or a budget cannot count steps.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from langchain.agents import create_agent
        >>> from outlay import WorkflowQuota
        >>> from outlay.testing import ScriptedChatModel, tool_call
        >>> def look_up(word: str) -> str:
        ...     '''Look a word up.'''
        ...     return "found " + word
        >>> model = ScriptedChatModel(
        ...     script=[tool_call("look_up", word="a"), tool_call("look_up", word="b"), "Only the first."]
        ... )
        >>> token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> agent = create_agent(model, [look_up], middleware=[BudgetMiddleware(token)])
        >>> messages = agent.invoke({"messages": [("user", "Look up a and b.")]})["messages"]
        >>> [message.status for message in messages if message.type == "tool"]
        ['success', 'error']

    """

    state_schema = _RunState

    def __init__(
        self,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        steps: Literal["tools", "turns"] = "tools",
        on_denied: Literal["continue", "end", "error"] | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> None:
        super().__init__()
        if steps not in _STEPS:
            raise PolicyError(f"steps: 'tools' or 'turns' is allowed, not {steps!r:.100}")
        allowed = _DENIED[steps]
        if on_denied is not None and on_denied not in allowed:
            raise PolicyError(f"on_denied: for {steps} one of {allowed} is allowed, not {on_denied!r:.100}")
        self._on_denied = on_denied or allowed[0]
        self._budgets = step_budgets(budget)
        self._labels = checked_labels(labels, named)
        self._by_turns = steps == "turns"
        # An agent refuses two middlewares of one name, but steps and turns may well be counted together.
        self._name = f"BudgetMiddleware-{next(_numbers)}"

    @property
    def name(self) -> str:
        """The name of this instance; no two are alike."""
        return self._name

    def before_agent(self, state: Any, runtime: Any) -> dict[str, str]:  # noqa: ARG002 (the host's)
        """Begin a run: the one that is open around the agent, or a new one."""
        return {_RUN: begin_run(self._budgets, self._labels)}

    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, str]:
        """Begin a run: the one that is open around the agent, or a new one."""
        return self.before_agent(state, runtime)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Charge a step, then run the tool."""
        with self._run(request.state):
            if self._by_turns:
                return handler(request)
            try:
                with self._tool_step(request):
                    return handler(request)
            except LimitExceeded as refusal:
                return self._refused_tool(request, refusal)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Charge a step, then run the tool."""
        with self._run(request.state):
            if self._by_turns:
                return await handler(request)
            try:
                with self._tool_step(request):
                    return await handler(request)
            except LimitExceeded as refusal:
                return self._refused_tool(request, refusal)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage:
        """Charge a step, then let the model take its turn."""
        with self._run(request.state):
            if not self._by_turns:
                ending = _ending(request)
                return handler(request) if ending is None else ending
            try:
                step = self._turn_step(request)
            except LimitExceeded as refusal:
                return self._refused_turn(refusal)
            with step:
                return handler(request)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | AIMessage:
        """Charge a step, then let the model take its turn."""
        with self._run(request.state):
            if not self._by_turns:
                ending = _ending(request)
                return await handler(request) if ending is None else ending
            try:
                step = self._turn_step(request)
            except LimitExceeded as refusal:
                return self._refused_turn(refusal)
            with step:
                return await handler(request)

    def _run(self, state: Any) -> AbstractContextManager[None]:
        # A ToolNode outside an agent has a state of its own, and no run.
        begun = state.get(_RUN) if isinstance(state, Mapping) else None
        return open_run(named_run(self._budgets, self._labels) or begun)

    def _tool_step(self, request: ToolCallRequest) -> Step:
        tool = request.tool_call["name"]
        labels = self._step_labels(tool=tool)
        return charge_step(
            self._budgets,
            operation=operation_of(tool),
            labels=labels,
            about=request.tool_call,
            interrupts=(GraphInterrupt,),
        )

    def _turn_step(self, request: ModelRequest[Any]) -> Step:
        labels = self._step_labels()
        return charge_step(self._budgets, operation="query", labels=labels, about=request.runtime)

    def _step_labels(self, **step: str) -> dict[str, str]:
        return {**running_agent(), **self._labels, **step}

    def _refused_tool(self, request: ToolCallRequest, refusal: LimitExceeded) -> ToolMessage:
        if self._on_denied == "error":
            raise as_model_error(refusal) from refusal.__cause__
        call = request.tool_call
        return ToolMessage(
            content=str(refusal),
            tool_call_id=call["id"],
            name=call["name"],
            status="error",
            additional_kwargs={_ENDS: True} if self._on_denied == "end" else {},
        )

    def _refused_turn(self, refusal: LimitExceeded) -> AIMessage:
        if self._on_denied == "error":
            raise as_model_error(refusal) from refusal.__cause__
        return AIMessage(content=str(refusal))


def _ending(request: ModelRequest[Any]) -> AIMessage | None:
    """Return what ends the run, if a tool call of the last turn was refused so that it ends."""
    for message in reversed(request.messages):
        if not isinstance(message, ToolMessage):
            return None
        if message.additional_kwargs.get(_ENDS):
            return AIMessage(content=message.content)
    return None
