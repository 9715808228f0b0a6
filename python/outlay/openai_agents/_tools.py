"""`guard_tools`: the tool calls of an agent under a budget."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from agents import FunctionTool
from agents.tool_context import ToolContext
from agents.tool_guardrails import ToolGuardrailFunctionOutput, ToolInputGuardrail, ToolInputGuardrailData

from outlay import LimitExceeded, PolicyError
from outlay._wraps import (
    AnyBudget,
    Budgets,
    Step,
    charge_step,
    checked_labels,
    operation_of,
    step_budgets,
)


def guard_tools(
    tools: Iterable[FunctionTool],
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> list[FunctionTool]:
    """Return copies of the tools that charge one step before each call.

    A `WorkflowToken` executes one step. An `AgentTokenBudget` consumes 1 of the operation that is named like
    the tool. An `AgentBudget` makes one call. A user's own object reserves and commits an empty estimate,
    with `tool=NAME`. A list is decided in one step.

    A refused tool does not run: the model reads the JSON of the refusal as the tool's output, and can finish
    its answer. The same happens if a tool raises a refusal, such as one of a sub-agent's own budget. Parallel
    tool calls are charged one by one, in no order. A step counts from its start: a tool that fails has made
    one. It is charged by a tool guardrail, the last of those that the tool has, so a call that another
    guardrail rejects costs nothing. A tool that waits for approval is charged when it runs. With
    `pre_approval_tool_input_guardrails` it is refused before a person is asked, and charged when it runs.

    Args:
        tools: Function tools, agents as tools (`Agent.as_tool`) among them. Tools that the provider runs, and
            those of MCP servers, have no such guardrail.
        budget: A `WorkflowToken`, `AgentTokenBudget` or `AgentBudget`, an object with the `outlay.Budget`
            protocol, or a list of them.
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        The copies, in the same order.

    Raises:
        PolicyError: A tool is no function tool, or a budget cannot count steps.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from agents import Agent, RunConfig, Runner, function_tool
        >>> from agents.testing import ScriptedModel, assistant_message, function_call
        >>> from outlay import WorkflowQuota
        >>> @function_tool
        ... def look_up(word: str) -> str:
        ...     return "found " + word
        >>> both = [function_call("look_up", {"word": word}, call_id=word) for word in "ab"]
        >>> model = ScriptedModel([both, [assistant_message("Only the first.")]])
        >>> token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> agent = Agent("reader", tools=guard_tools([look_up], token), model=model)
        >>> run = Runner.run_sync(agent, "Look a and b up.", run_config=RunConfig(tracing_disabled=True))
        >>> [str(item.output)[:9] for item in run.new_items if item.type == "tool_call_output_item"]
        ['found a', '{"error":']

    """
    layer = _ToolLayer(step_budgets(budget), checked_labels(labels, named))
    if not isinstance(tools, Iterable):
        raise PolicyError(f"tools: a list of FunctionTool is allowed, not {type(tools).__name__}")
    return [_guarded(tool, layer) for tool in tools]


class _ToolLayer:
    """The budgets and the labels of one `guard_tools`; called, it is the guardrail of a tool."""

    def __init__(self, budgets: Budgets, labels: Mapping[str, str]) -> None:
        self.budgets = budgets
        self.labels = labels
        self.__name__ = "outlay_budget"

    def __call__(self, data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        # The guardrail does not see the tool's end, so a user's own lease is committed at its start.
        twice = _runs_twice(data.context)
        try:
            with (
                suppress(_OnlyAskedError),
                self.step(data.context, data.agent, (_OnlyAskedError,) if twice else ()),
            ):
                if twice:
                    raise _OnlyAskedError
        except LimitExceeded as refusal:
            return ToolGuardrailFunctionOutput.reject_content(str(refusal), output_info=refusal.payload)
        return ToolGuardrailFunctionOutput.allow()

    def step(
        self, context: ToolContext[Any], agent: Any, interrupts: tuple[type[Exception], ...] = ()
    ) -> Step:
        """Charge the step of one call; one of `interrupts` gives it back."""
        tool = context.tool_name
        known = {"agent": agent.name} if agent is not None else {}
        labels = {**known, **self.labels, "tool": tool}
        return charge_step(self.budgets, operation=operation_of(tool), labels=labels, interrupts=interrupts)

    def without(self, others: Iterable[Any]) -> _ToolLayer:
        """Return the layer without the budgets that other guardrails of the tool charge."""
        budgets = [one.budgets for one in others if isinstance(one, _ToolLayer)]
        paid = {key for each in budgets for key, _ in (*each.native, *each.own)}
        native = tuple(each for each in self.budgets.native if each[0] not in paid)
        own = tuple(each for each in self.budgets.own if each[0] not in paid)
        return _ToolLayer(Budgets(native, own), self.labels)


class _OnlyAskedError(Exception):
    """There is room for the step; it is charged when the tool runs."""


def _runs_twice(context: ToolContext[Any]) -> bool:
    """Return whether guardrails run before a person is asked, and again at the call."""
    execution = context.run_config.tool_execution if context.run_config is not None else None
    return execution is not None and execution.pre_approval_tool_input_guardrails


def _guarded(tool: Any, layer: _ToolLayer) -> FunctionTool:
    if not isinstance(tool, FunctionTool):
        raise PolicyError(f"tools: only a FunctionTool can be refused, not {type(tool).__name__}")
    guarded, present = copy.copy(tool), tool.tool_input_guardrails or ()
    left = layer.without(one.guardrail_function for one in present)
    charges = bool(left.budgets.native or left.budgets.own)
    if charges:
        guarded.tool_input_guardrails = [*present, ToolInputGuardrail(left)]
    guarded.on_invoke_tool = _answering(guarded.on_invoke_tool, left if charges else None)
    return guarded


def _answering(invoke: Any, layer: _ToolLayer | None) -> Any:
    """Return what runs a tool, so that a refusal that the tool raises is the tool's output."""
    inner = getattr(invoke, "_invoke_tool_impl", None)
    if inner is not None:
        # Below the SDK's own words for an error, which ask the model to try again.
        invoke = copy.copy(invoke)
        invoke._invoke_tool_impl = _answering(inner, layer)
        return invoke

    @functools.wraps(invoke)
    async def answered(context: Any, *args: Any, **kwargs: Any) -> Any:
        charges = layer is not None and _runs_twice(context)
        try:
            with layer.step(context, context.agent) if layer is not None and charges else nullcontext():
                return await invoke(context, *args, **kwargs)
        except LimitExceeded as refusal:
            return str(refusal)

    return answered
