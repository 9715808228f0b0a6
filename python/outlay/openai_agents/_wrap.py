"""`wrap`: a model that asks its budgets before each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from agents.models.interface import Model

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Unguarded, make_layer
from outlay.openai_agents._model import guard


def wrap(
    model: Model,
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    estimate: EstimateMode | None = None,
    unguarded: Unguarded = "warn",
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> Model:
    """Return a model that reserves from its budgets before each request of the model inside.

    Give it to an `Agent` or to `RunConfig(model=...)`. Every request is one lease, streamed or not, whichever
    agent makes it. The original stays unguarded. For models that are given by name, use `BudgetProvider`.

    A refusal is raised before the provider is touched. It is the outlay class and `agents.AgentsException` in
    one: the runner raises it as it is, and no `ModelRetrySettings` retries it. Wraps stack: an account that
    two of them name is charged once a call.

    Args:
        model: A model of the Agents SDK.
        budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
            `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
        output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
        wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at all.
        estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has used, so
            that more run side by side. Default None: the policy's, else a third and the whole output.
        unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        A model around the model.

    Raises:
        PolicyError: An argument is not what it should be, or a model that must be priced has no price.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from agents import Agent, RunConfig, Runner
        >>> from agents.testing import ScriptedModel, assistant_message
        >>> from outlay import BudgetExceeded, SharedPool
        >>> pool = SharedPool(capacity_tokens=300)
        >>> script = ScriptedModel([[assistant_message("Hi.")]])
        >>> agent = Agent("greeter", model=wrap(script, pool, output_tokens=200))
        >>> quiet = RunConfig(tracing_disabled=True)
        >>> try:
        ...     Runner.run_sync(agent, "Hello " * 100, run_config=quiet)
        ... except BudgetExceeded as refusal:
        ...     print(refusal.kind, refusal.limit)
        token 300
        >>> Runner.run_sync(agent, "Hello", run_config=quiet).final_output
        'Hi.'

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="openai_agents",
    )
    return guard(_checked(model), (layer,))


def _checked(model: Any) -> Model:
    if not isinstance(model, Model):
        raise PolicyError(
            f"model: an agents.Model is allowed, not {type(model).__name__}; "
            "models that are given by name are guarded by BudgetProvider"
        )
    return model
