"""`wrap`: a model that asks its budgets before each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.wrapper import WrapperModel

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Unguarded, make_layer
from outlay.pydantic_ai._model import guard


def wrap(
    model: Model | str,
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
) -> WrapperModel:
    """Return a model that reserves from its budgets before each request of the model inside.

    Give it wherever a model goes: to an `Agent`, to `agent.run(model=...)`, to `pydantic_ai.direct`. Every
    request is one lease, streamed or not, of sub-agents too where they use it. The original stays unguarded.
    A `FallbackModel` is guarded inside: each model that it tries is a call of its own.

    A refusal is raised before the provider is touched. It is the outlay class and
    `pydantic_ai.UsageLimitExceeded` in one, which ends the run and is neither retried nor fallen back from.
    Wraps stack: an account that two of them name is charged once a call.

    Args:
        model: A model of Pydantic AI, or the name of one, such as "openai:gpt-5".
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
        A `WrapperModel` around the model.

    Raises:
        PolicyError: An argument is not what it should be, or a model that must be priced has no price.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from pydantic_ai import Agent
        >>> from pydantic_ai.models.test import TestModel
        >>> from outlay import BudgetExceeded, SharedPool
        >>> pool = SharedPool(capacity_tokens=300)
        >>> agent = Agent(wrap(TestModel(custom_output_text="Hi."), pool, output_tokens=200))
        >>> agent.run_sync("Hello").output
        'Hi.'
        >>> try:
        ...     agent.run_sync("Hello " * 100)
        ... except BudgetExceeded as refusal:
        ...     print(refusal.kind, refusal.limit)
        token 300

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="pydantic_ai",
    )
    return cast(WrapperModel, guard(infer_model(_checked(model)), (layer,)))


def _checked(model: Any) -> Any:
    if not isinstance(model, Model | str):
        raise PolicyError(
            f"model: a model of Pydantic AI or the name of one is allowed, not {type(model).__name__}"
        )
    return model
