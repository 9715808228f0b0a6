"""`BudgetProvider`: every model that a run takes by name, under a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from agents.models.interface import Model, ModelProvider

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Unguarded, make_layer
from outlay.openai_agents._model import guard


class BudgetProvider(ModelProvider):
    """Guards every model that a run looks up by name: of its agents, of handoffs, of agents used as tools.

    Give it to `RunConfig(model_provider=...)`. An agent whose `model` is an object and no name goes past
    every provider: wrap that object. The models are guarded as by `outlay.openai_agents.wrap`.

    Args:
        provider: The provider that makes the models, such as `agents.MultiProvider()`.
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

    Raises:
        PolicyError: An argument is not what it should be; a model without a price that needs one, when the
            run looks it up.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from agents import Agent, ModelProvider, RunConfig, Runner
        >>> from agents.testing import ScriptedModel, assistant_message
        >>> from outlay import SharedPool
        >>> class Offline(ModelProvider):
        ...     def get_model(self, model_name):
        ...         return ScriptedModel([[assistant_message("Hi from " + model_name)]])
        >>> pool = SharedPool(capacity_tokens=10_000)
        >>> guarded = RunConfig(model_provider=BudgetProvider(Offline(), pool), tracing_disabled=True)
        >>> Runner.run_sync(Agent("greeter", model="gpt-x"), "Hello", run_config=guarded).final_output
        'Hi from gpt-x'
        >>> pool.committed().total_tokens > 0
        True

    """

    def __init__(
        self,
        provider: ModelProvider,
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
    ) -> None:
        given: Any = provider
        if not isinstance(given, ModelProvider):
            raise PolicyError(f"provider: an agents.ModelProvider is allowed, not {type(given).__name__}")
        self._provider = given
        self._layer = make_layer(
            budget,
            CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
            labels=(labels, named),
            made_by="openai_agents",
        )

    def get_model(self, model_name: str | None) -> Model:
        """Return the guarded model of a name."""
        return guard(self._provider.get_model(model_name), (self._layer,))

    async def aclose(self) -> None:
        """Close the provider inside."""
        await self._provider.aclose()
