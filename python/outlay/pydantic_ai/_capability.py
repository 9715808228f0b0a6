"""`BudgetCapability`: the model calls and the tool calls of an agent under a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.tools import ToolDefinition

from outlay import LimitExceeded, PolicyError, PriceTable
from outlay._wraps import (
    AnyBudget,
    Budgets,
    CallOptions,
    EstimateMode,
    Unguarded,
    charge_step,
    countable,
    make_layer,
    named_run,
    open_run,
    operation_of,
)
from outlay.pydantic_ai._model import guard

if not hasattr(AbstractCapability, "get_wrapper_model"):
    # An older host would never ask for the guarded model, and every call would pass.
    raise ImportError("outlay.pydantic_ai needs Pydantic AI 2.68 or later: pip install outlay[pydantic-ai]")


class BudgetCapability(AbstractCapability[Any]):
    """Guards the model calls of an agent, and charges one step before each of its tool calls.

    The model calls are guarded as by `outlay.pydantic_ai.wrap`, whichever model serves them, each try of a
    fallback by itself. For a tool call, a `WorkflowToken` executes one step, and an `AgentBudget` makes one
    call. An `AgentTokenBudget` consumes 1 of the operation that is named like the tool. A user's own object
    reserves an empty estimate, with `tool=NAME`, and commits it after the tool. A list is decided in one
    step. A `SharedPool` and a `RateLimiter` count tokens, so they take no part in tool calls.

    A refused tool does not run: the model reads the JSON of the refusal as the tool's result, and can finish
    its answer. The same happens if a tool raises a refusal, such as one of a sub-agent's own budget. Parallel
    tool calls are charged one by one, in no order. A step counts from its start. A tool that asks for
    approval pays when it runs again, and one whose result comes later (`CallDeferred`) when it runs. Output
    tools are free. A refused model call ends the run with an error that is also
    `pydantic_ai.UsageLimitExceeded`.

    It opens a run for each run of the agent, by the host's `run_id`, so that rules with `window = "run"`
    count each by itself. Sub-agents are in that run. A run that is open around the agent (`guard.run`), or
    that `run=` or a bound view names, comes first.

    It guards the agent that it is given to. A sub-agent that a tool runs needs one of its own, with the same
    budget; or wrap the model that they share. It does not see what other capabilities ask of a model before
    the request, such as `OpenAICompaction`; a wrapped model does.

    Args:
        budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
            `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
        models: Whether the model calls are guarded; default True. False leaves the tools.
        steps: "tools" (default) charges each tool call; None leaves the tools alone.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
        output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
        wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at all.
        estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has used, so
            that more run side by side. Default None: the policy's, else a third and the whole output.
        unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Raises:
        PolicyError: An argument is not what it should be, or nothing is left to guard.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from pydantic_ai import Agent
        >>> from pydantic_ai.models.test import TestModel
        >>> from outlay import WorkflowQuota
        >>> token = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> agent = Agent(TestModel(), capabilities=[BudgetCapability(token, models=False)])
        >>> @agent.tool_plain
        ... def look_up(word: str) -> str:
        ...     return "found " + word
        >>> agent.run_sync("Look a word up.").output
        '{"look_up":"found a"}'
        >>> "step_limit" in agent.run_sync("Look another one up.").output
        True

    """

    def __init__(
        self,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        models: bool = True,
        steps: Literal["tools"] | None = "tools",
        operation: str = "query",
        prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
        output_tokens: int | None = None,
        wait: float | timedelta | None = None,
        estimate: EstimateMode | None = None,
        unguarded: Unguarded = "warn",
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> None:
        if steps not in ("tools", None):
            raise PolicyError(f"steps: 'tools' or None is allowed, not {steps!r:.100}")
        self._layer = make_layer(
            budget,
            CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
            labels=(labels, named),
            made_by="pydantic_ai",
        )
        self._models, self._tools = models, steps is not None
        self._steps = countable(self._layer.budgets) if steps else Budgets((), ())
        if models:
            self._layer.check_price(None)
        elif not (self._steps.native or self._steps.own):
            raise PolicyError(
                "budget: models=False, and no budget here counts tool calls, so nothing is guarded"
            )

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """Return None: a budget is an object, which a spec in a file cannot carry."""
        return None

    def get_wrapper_model(self, model: Model) -> Model | None:
        """Guard the model that serves an attempt at a request."""
        return guard(model, (self._layer,)) if self._models else None

    async def wrap_run(self, ctx: RunContext[Any], *, handler: Any) -> Any:
        """Open a run of the host's own id, unless one is open around the agent or is named."""
        with open_run(named_run(self._layer.budgets, self._layer.labels) or ctx.run_id):
            return await handler()

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: Any,
        handler: Any,
    ) -> Any:
        """Charge a step, then run the tool; a refusal is the tool's result."""
        if tool_def.kind == "output" or not self._tools:
            return await handler(args)
        tool, agent = call.tool_name, getattr(ctx.agent, "name", None)
        known = {"agent": agent} if agent else {}
        labels = {**known, **self._layer.labels, "tool": tool}
        operation, interrupts = operation_of(tool), (ApprovalRequired,)
        try:
            with charge_step(
                self._steps, operation=operation, labels=labels, about=call, interrupts=interrupts
            ):
                try:
                    return await handler(args)
                except CallDeferred as error:
                    # Its result comes from outside, and it is not run again: this was its step.
                    deferred = error
        except LimitExceeded as refusal:
            # Of the step, or of what the tool did: the agent goes on with what it has.
            return str(refusal)
        raise deferred
