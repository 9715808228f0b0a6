"""The faces of `outlay.httpx` and `outlay.httpx2`: the same three functions over either library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, Generic, TypeVar

from outlay._calls.budgets import AnyBudget
from outlay._core import PriceTable
from outlay._http.client import make_async_transport, make_transport, wrap_client
from outlay._usage.calibration import EstimateMode
from outlay._wraps.arguments import CallOptions, LabelsTwice, make_layer
from outlay._wraps.layer import Layer
from outlay._wraps.unguarded import Unguarded

TransportT = TypeVar("TransportT")
AsyncTransportT = TypeVar("AsyncTransportT")
ClientT = TypeVar("ClientT")


class Faces(Generic[TransportT, AsyncTransportT]):
    """The public functions for one library; its module gives them out under their names.

    Args:
        hx: The library, `httpx` or `httpx2`.

    """

    def __init__(self, hx: ModuleType) -> None:
        self._hx = hx

    def _layer(self, budget: Any, options: CallOptions, provider: Any, labels: LabelsTwice) -> Layer:
        given, named = labels
        if isinstance(provider, str) and provider:
            # It is a label too, so that `labels` may not name another provider.
            named = {**named, "provider": provider}
        return make_layer(budget, options, labels=(given, named), made_by=self._hx.__name__)

    def transport(
        self,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        inner: TransportT | None = None,
        operation: str = "query",
        prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
        output_tokens: int | None = None,
        wait: float | timedelta | None = None,
        estimate: EstimateMode | None = None,
        unguarded: Unguarded = "warn",
        provider: str | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> TransportT:
        """Return a transport that reserves from its budgets before each request to a model.

        It works below the client's retries, so each attempt is a call of its own. One that fails gives its
        tokens back (unless the budget says `on_error="charge"`) and counts as a request. One that times out
        or loses its connection is charged, and so is a stream that is closed early. A `RateLimiter` and the
        adaptive limiters of a `Guard` read the answers' headers.

        A refusal is also an `openai.OpenAIError` or `anthropic.AnthropicError`, if these SDKs are loaded.

        Args:
            budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
                `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
            inner: The transport that sends; default a new `HTTPTransport()`.
            operation: The operation that an `AgentTokenBudget` weighs; default "query".
            prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
            output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
            wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at
                all.
            estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has
                used, so that more run side by side. Default None: the policy's, else a third and the whole
                output.
            unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
            provider: The provider's label; default: read from the host ("google", "groq", else the host).
            labels: Labels as a mapping, beside the keywords; default None.
            **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

        Returns:
            A transport for `Client(transport=...)`; its `close` closes `inner`.

        Raises:
            PolicyError: An argument is not what it should be.
            InvalidAmount: `output_tokens` is no whole number, or negative.
            InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

        Example:
            >>> import httpx
            >>> from outlay.httpx import transport
            >>> from outlay import BudgetExceeded, SharedPool
            >>> client = httpx.Client(transport=transport(SharedPool(capacity_tokens=100)))
            >>> try:
            ...     client.post("https://api.groq.com/openai/v1/chat/completions", json={"messages": []})
            ... except BudgetExceeded as refusal:
            ...     print(refusal.limit)
            100

        """
        options = CallOptions(operation, prices, output_tokens, wait, estimate, unguarded)
        layer = self._layer(budget, options, provider, (labels, named))
        made: TransportT = make_transport(self._hx, layer, inner, provider)
        return made

    def async_transport(
        self,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        inner: AsyncTransportT | None = None,
        operation: str = "query",
        prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
        output_tokens: int | None = None,
        wait: float | timedelta | None = None,
        estimate: EstimateMode | None = None,
        unguarded: Unguarded = "warn",
        provider: str | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> AsyncTransportT:
        """Return the transport for an `AsyncClient`; all else is as for `transport`.

        Args:
            budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
                `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
            inner: The transport that sends; default a new `AsyncHTTPTransport()`.
            operation: The operation that an `AgentTokenBudget` weighs; default "query".
            prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
            output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
            wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at
                all.
            estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has
                used, so that more run side by side. Default None: the policy's, else a third and the whole
                output.
            unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
            provider: The provider's label; default: read from the host ("google", "groq", else the host).
            labels: Labels as a mapping, beside the keywords; default None.
            **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

        Returns:
            A transport for `AsyncClient(transport=...)`; its `aclose` closes `inner`.

        Raises:
            PolicyError: An argument is not what it should be.
            InvalidAmount: `output_tokens` is no whole number, or negative.
            InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

        Example:
            >>> import httpx
            >>> from outlay.httpx import async_transport
            >>> from outlay import SharedPool
            >>> client = httpx.AsyncClient(transport=async_transport(SharedPool(capacity_tokens=10_000)))

        """
        options = CallOptions(operation, prices, output_tokens, wait, estimate, unguarded)
        layer = self._layer(budget, options, provider, (labels, named))
        made: AsyncTransportT = make_async_transport(self._hx, layer, inner, provider)
        return made

    def wrap(
        self,
        client: ClientT,
        budget: AnyBudget | Sequence[AnyBudget],
        *,
        operation: str = "query",
        prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
        output_tokens: int | None = None,
        wait: float | timedelta | None = None,
        estimate: EstimateMode | None = None,
        unguarded: Unguarded = "warn",
        provider: str | None = None,
        labels: Mapping[str, str] | None = None,
        **named: str,
    ) -> ClientT:
        """Return a guarded copy of a client that exists already; the original stays unguarded.

        The copy is of the same class and has the same settings. It shares the connections of the original, so
        closing either closes both. What it guards, and how, is as for `transport`.

        Args:
            client: A `Client` or `AsyncClient` of the library.
            budget: One budget or a list of them: a `Guard`, an account of outlay, or an object with the
                `outlay.Budget` protocol. Outlay's own are decided in one step: all reserve, or none does.
            operation: The operation that an `AgentTokenBudget` weighs; default "query".
            prices: USD per million tokens, as text, by model name. Needed where a budget limits cost.
            output_tokens: Output to reserve where the request limits none; default the policy's, else 1,024.
            wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at
                all.
            estimate: "strict" takes half of the prompt's bytes for tokens; "expected" what its model has
                used, so that more run side by side. Default None: the policy's, else a third and the whole
                output.
            unguarded: What costs money and is not guarded: "warn" once (default), "refuse" or "allow".
            provider: The provider's label; default: read from the host ("google", "groq", else the host).
            labels: Labels as a mapping, beside the keywords; default None.
            **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

        Returns:
            A guarded copy of the client.

        Raises:
            PolicyError: An argument is not what it should be.
            InvalidAmount: `output_tokens` is no whole number, or negative.
            InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

        Example:
            >>> import httpx
            >>> from outlay.httpx import wrap
            >>> from outlay import SharedPool
            >>> client = wrap(httpx.Client(timeout=60), SharedPool(capacity_tokens=10_000))
            >>> isinstance(client, httpx.Client)
            True

        """
        options = CallOptions(operation, prices, output_tokens, wait, estimate, unguarded)
        layer = self._layer(budget, options, provider, (labels, named))
        made: ClientT = wrap_client(self._hx, client, layer, provider)
        return made
