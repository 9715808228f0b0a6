"""`wrap`: an Anthropic client that asks its budgets before each request to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Unguarded, make_layer
from outlay.anthropic._copies import keep_budgets
from outlay.anthropic._middleware import ReservingMiddleware

ClientT = TypeVar("ClientT")


def wrap(
    client: ClientT,
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
) -> ClientT:
    """Return a copy of an Anthropic client that reserves from its budgets before each request to a model.

    Guarded are `messages.create`, its streams, `messages.stream`, `messages.parse`, the tool runner and the
    same under `beta`, raw and streaming responses too. Copies of the copy stay guarded, whatever middleware
    they are given; the original stays unguarded. The two share their connections.

    Each HTTP attempt is a call of its own. One that fails gives its tokens back and counts as a request. One
    that times out is charged, and so is a stream that is left. A `RateLimiter` reads the answers' headers.

    A refusal is raised before the provider is touched. It is also an `anthropic.AnthropicError`, so the SDK
    neither retries nor wraps it. Wraps stack: an account that two of them name is charged once a call.

    Args:
        client: An `Anthropic` or `AsyncAnthropic`, or a client of the SDK for Bedrock, Vertex AI or Foundry.
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
        A guarded copy of the client, of the same class.

    Raises:
        PolicyError: An argument is not what it should be, or a budget limits cost and there are no prices.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from anthropic import Anthropic, AnthropicError
        >>> from outlay import BudgetExceeded, SharedPool
        >>> client = wrap(Anthropic(api_key="none"), SharedPool(capacity_tokens=300))
        >>> hi = [{"role": "user", "content": "Hi"}]
        >>> try:
        ...     client.messages.create(model="claude", max_tokens=1_000, messages=hi)
        ... except BudgetExceeded as refusal:
        ...     print(refusal.limit, isinstance(refusal, AnthropicError))
        300 True

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="anthropic",
    )
    layer.check_price(None)
    guarded: ClientT = keep_budgets(_checked(client).with_middleware(ReservingMiddleware(layer)))
    return guarded


def _checked(client: Any) -> Any:
    if not callable(getattr(client, "with_middleware", None)) or isinstance(client, type):
        raise PolicyError(
            "client: anthropic.Anthropic or AsyncAnthropic, or their kinds for Bedrock, Vertex AI and "
            f"Foundry are allowed, not {type(client).__name__}"
        )
    return client
