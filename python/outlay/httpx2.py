"""Budgets for any provider that is reached by httpx2: a transport for its client, or a guarded client.

Each POST of JSON with `messages`, `input` or `contents` (chat, responses, messages, generateContent,
embeddings) is one call: an estimate is reserved before it is sent, and what the answer says it used is booked
as its body passes, JSON or server-sent events. Everything else passes untouched.

Example:
    >>> import httpx2
    >>> from outlay import SharedPool
    >>> from outlay.httpx2 import transport
    >>> from outlay.testing import OpenAIServer, Reply
    >>> pool = SharedPool(capacity_tokens=10_000)
    >>> client = httpx2.Client(transport=transport(pool))
    >>> body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    >>> with OpenAIServer([Reply(text="Hello.")]) as server, client:
    ...     answer = client.post(server.base_url + "/chat/completions", json=body).json()
    >>> answer["usage"]["total_tokens"] == pool.committed().total_tokens
    True

"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

try:
    import httpx2
except ImportError as missing:
    raise ImportError("outlay.httpx2 needs httpx2: pip install outlay[httpx2]") from missing

from outlay._budget import AnyBudget
from outlay._core import PriceTable
from outlay._http_client import make_async_transport, make_transport, wrap_client
from outlay._layer import make_layer

__all__ = ["async_transport", "transport", "wrap"]

ClientT = TypeVar("ClientT", httpx2.Client, httpx2.AsyncClient)


def transport(
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    inner: httpx2.BaseTransport | None = None,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    provider: str | None = None,
    **labels: str,
) -> httpx2.BaseTransport:
    """Return a transport that reserves from its budgets before each request to a model.

    It stands below the client's retries, so each attempt is a call of its own: a connection error releases
    its lease (unless the budget says `on_error="charge"`), so does an answer that is no success, and the next
    attempt is admitted anew. A stream that is closed early, or dropped, is charged. A `RateLimiter` among the
    budgets is told the rate-limit headers of every answer.

    A refusal is of the kind of the SDKs that are loaded (`openai.OpenAIError`, `anthropic.AnthropicError`),
    so that their clients neither retry it nor turn it into a connection error.

    Args:
        budget: A `SharedPool`, `AgentTokenBudget`, `AgentBudget`, `RateLimiter` or `WorkflowToken` (one step
            a call), an object with the `outlay.Budget` protocol, or a list of them.
        inner: The transport that sends; default a new `httpx2.HTTPTransport()`.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
        output_tokens: The output to reserve, in tokens, where the request does not limit it; default 1,024.
        wait: How long a call may wait for its turn where a pool or a limiter is full: seconds or a timedelta;
            default None, not at all: it is refused at once.
        provider: The provider's label; default: read from the host ("google", "groq", ..., else the host).
        **labels: Passed to objects with the `outlay.Budget` protocol.

    Returns:
        A transport for `httpx2.Client(transport=...)`; its `close` closes `inner`.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.

    Example:
        >>> from outlay import BudgetExceeded, SharedPool
        >>> client = httpx2.Client(transport=transport(SharedPool(capacity_tokens=100)))
        >>> try:
        ...     client.post("https://api.groq.com/openai/v1/chat/completions", json={"messages": []})
        ... except BudgetExceeded as refusal:
        ...     print(refusal.limit)
        100

    """
    layer = make_layer(
        budget,
        operation=operation,
        prices=prices,
        output_tokens=output_tokens,
        wait=wait,
        labels=labels,
    )
    made: httpx2.BaseTransport = make_transport(httpx2, layer, inner, provider)
    return made


def async_transport(
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    inner: httpx2.AsyncBaseTransport | None = None,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    provider: str | None = None,
    **labels: str,
) -> httpx2.AsyncBaseTransport:
    """Return the transport for an `httpx2.AsyncClient`; all else is as for `transport`.

    Args:
        budget: One budget or a list of them.
        inner: The transport that sends; default a new `httpx2.AsyncHTTPTransport()`.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name.
        output_tokens: The output to reserve, in tokens, where the request does not limit it; default 1,024.
        wait: How long a call may wait, in seconds or as a timedelta; default None, not at all.
        provider: The provider's label; default: read from the host.
        **labels: Passed to objects with the `outlay.Budget` protocol.

    Returns:
        A transport for `httpx2.AsyncClient(transport=...)`; its `aclose` closes `inner`.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.

    Example:
        >>> from outlay import SharedPool
        >>> client = httpx2.AsyncClient(transport=async_transport(SharedPool(capacity_tokens=10_000)))

    """
    layer = make_layer(
        budget,
        operation=operation,
        prices=prices,
        output_tokens=output_tokens,
        wait=wait,
        labels=labels,
    )
    made: httpx2.AsyncBaseTransport = make_async_transport(httpx2, layer, inner, provider)
    return made


def wrap(
    client: ClientT,
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    wait: float | timedelta | None = None,
    provider: str | None = None,
    **labels: str,
) -> ClientT:
    """Return a guarded copy of a client that exists already; the original stays unguarded.

    The copy is of the same class and has the same settings. It shares the connections of the original, so
    closing either closes both. What it guards, and how, is as for `transport`.

    Args:
        client: An `httpx2.Client` or `httpx2.AsyncClient`.
        budget: One budget or a list of them.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name.
        output_tokens: The output to reserve, in tokens, where the request does not limit it; default 1,024.
        wait: How long a call may wait, in seconds or as a timedelta; default None, not at all.
        provider: The provider's label; default: read from the host.
        **labels: Passed to objects with the `outlay.Budget` protocol.

    Returns:
        A guarded copy of the client.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.

    Example:
        >>> from outlay import SharedPool
        >>> client = wrap(httpx2.Client(timeout=60), SharedPool(capacity_tokens=10_000))
        >>> isinstance(client, httpx2.Client)
        True

    """
    layer = make_layer(
        budget,
        operation=operation,
        prices=prices,
        output_tokens=output_tokens,
        wait=wait,
        labels=labels,
    )
    made: ClientT = wrap_client(httpx2, client, layer, provider)
    return made
