"""`wrap`: a client that asks its budgets before each call of a model."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import openai

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Layer, Unguarded, make_layer
from outlay.openai._guarded import LAYERS, guarded_class

ClientT = TypeVar("ClientT", bound="openai.OpenAI | openai.AsyncOpenAI")


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
    """Return a copy of a client that reserves from its budgets before each call of a model.

    The copy has the class and the connections of the original, which stays unguarded. Its own copies keep the
    budget. Guarded are chat completions, responses, embeddings, decisions and the older completions.

    A refusal is raised before the provider is touched, and is an `openai.OpenAIError` too. Wraps stack: an
    account that two of them name is charged once. A `RateLimiter` and a `Guard` read the answers' headers.

    Args:
        client: An `OpenAI` or `AsyncOpenAI`, or a subclass such as `AzureOpenAI`.
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
        A guarded copy of the client.

    Raises:
        PolicyError: An argument is not what it should be, or a model that must be priced has no price.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from openai import OpenAI
        >>> from outlay import BudgetExceeded, SharedPool
        >>> from outlay.testing import ProviderServer, Reply
        >>> pool = SharedPool(capacity_tokens=300)
        >>> with ProviderServer([Reply(text="Hi.")]) as server:
        ...     client = wrap(OpenAI(base_url=server.base_url, api_key="none"), pool, output_tokens=200)
        ...     client.responses.create(model="gpt-x", input="Hello").output_text
        ...     try:
        ...         client.responses.create(model="gpt-x", input="Hello " * 100)
        ...     except BudgetExceeded as refusal:
        ...         print(refusal.kind, refusal.limit, server.calls)
        'Hi.'
        token 300 1

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="openai",
    )
    _check(client)
    layer.check_price(None)
    return _guard(client, layer)


def _check(client: object) -> None:
    if not isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
        raise PolicyError(
            f"client: an OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI is allowed, not "
            f"{type(client).__name__}"
        )


def _guard(client: ClientT, layer: Layer) -> ClientT:
    # Not client.copy(): it builds a new client from the arguments that it knows, and a subclass has others.
    guarded = copy.copy(client)
    for name in list(guarded.__dict__):
        # client.chat and its like are kept on first use, and would still call the original.
        if isinstance(inspect.getattr_static(type(client), name, None), functools.cached_property):
            del guarded.__dict__[name]
    inner: tuple[Layer, ...] = getattr(client, LAYERS, ())
    if not hasattr(type(client), LAYERS):
        guarded.__class__ = guarded_class(type(client))
    guarded.__dict__[LAYERS] = (layer, *inner)
    return guarded
