"""`audit`: it sees the calls of models that are not wrapped, and books their usage."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
from langchain_core.tracers.context import register_configure_hook

from outlay import PriceTable, SharedPool, Usage, UsageEstimate
from outlay._wraps import (
    AnyBudget,
    Call,
    CallOptions,
    End,
    Fields,
    Layer,
    Outcome,
    Prompt,
    known_fields,
    make_layer,
    outcome_of,
)
from outlay.langchain._call import GUARDED, MessageUsage
from outlay.langchain._estimate import read_messages

CALLS_KEPT = 1_000
OPEN_MAX = 10_000
_log = logging.getLogger("outlay")
_ambient: ContextVar[Audit | None] = ContextVar("outlay_langchain_audit", default=None)
register_configure_hook(_ambient, inheritable=True)


@dataclass(frozen=True, slots=True)
class UnmeteredCall:
    """A call of a model that was not wrapped.

    Args:
        model: The model's name; None if it is unknown.
        usage: Its usage; the estimate if the response has none.
        estimated: Whether it is the estimate.
        agent: The agent that ran, where it has a name.
        booked: Whether the budget was charged; False without one, or where it refused.

    Example:
        >>> from outlay.testing import ScriptedChatModel
        >>> with audit() as seen:
        ...     _ = ScriptedChatModel(script=["Hello."]).invoke("Say hello.")
        >>> seen.calls[0].model, seen.calls[0].estimated, seen.calls[0].booked
        ('scripted', False, False)

    """

    model: str | None
    usage: Usage
    estimated: bool
    agent: str | None
    booked: bool


def audit(
    budget: AnyBudget | Sequence[AnyBudget] | None = None,
    *,
    on_call: Callable[[UnmeteredCall], object] | None = None,
    operation: str = "query",
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    output_tokens: int | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> Audit:
    """Watch for calls of models that are not wrapped, and book their usage.

    In a `with` block it sees the calls of every model that LangChain runs in this context. The code inside
    needs no change. It may also be given as a callback. It stops no call, because LangChain only reports
    calls; `wrap` refuses them. It is best effort. A call in a bare thread is not seen. A cancelled call is
    booked at its estimate when the block ends. A budget in debt refuses, and the refused usage is added up in
    `unbooked`. Calls of wrapped models and answers out of a cache are left out. A model over a client that is
    wrapped itself (`outlay.openai.wrap`) looks unmetered: give no budget there.

    Args:
        budget: As for `wrap`; default None, nothing is booked.
        on_call: Called with each `UnmeteredCall`; what it raises is logged.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        prices: USD per million tokens, as text, by model name. A model without a price is not booked.
        output_tokens: The output to charge where neither the response tells it nor the call limits it;
            default 1,024.
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        The watcher: `calls` (the last 1,000), `count`, and `unbooked`, the usage that no budget was charged.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from outlay import SharedPool
        >>> from outlay.langchain import audit, wrap
        >>> from outlay.testing import ScriptedChatModel
        >>> pool = SharedPool(capacity_tokens=10_000)
        >>> bare = ScriptedChatModel(script=["Hello."])
        >>> with audit(pool) as seen:
        ...     bare.invoke("Say hello.").content
        'Hello.'
        >>> [(call.model, call.booked) for call in seen.calls]
        [('scripted', True)]
        >>> pool.committed().total_tokens == seen.calls[0].usage.total_tokens
        True

    """
    # A pool without limits stands in if there is no budget.
    layer = make_layer(
        SharedPool() if budget is None else budget,
        CallOptions(operation=operation, prices=prices, output_tokens=output_tokens),
        labels=(labels, named),
        made_by="langchain.audit",
    )
    return Audit(layer, on_call, books=budget is not None)


def is_watching() -> bool:
    """Return whether an audit is around this point of the program."""
    return _ambient.get() is not None


class Audit(BaseCallbackHandler):
    """A context manager, and a callback of LangChain. Made by `audit`.

    Example:
        >>> from outlay.testing import ScriptedChatModel
        >>> seen = audit()
        >>> model = ScriptedChatModel(script=["Hello."])
        >>> model.invoke("Say hello.", config={"callbacks": [seen]}).content
        'Hello.'
        >>> seen.count
        1

    """

    # In the thread of the call, and not in a pool of threads: its context says what has been paid.
    run_inline = True

    def __init__(
        self, layer: Layer, on_call: Callable[[UnmeteredCall], object] | None, *, books: bool
    ) -> None:
        self._layer = layer
        self._on_call = on_call
        self._books = books
        self._lock = threading.Lock()
        self._open: OrderedDict[UUID, _Open] = OrderedDict()
        self._tokens: list[Token[Audit | None]] = []
        self.calls: deque[UnmeteredCall] = deque(maxlen=CALLS_KEPT)
        self.count = 0
        self.unbooked = Usage.zero()

    def __enter__(self) -> Self:
        self._tokens.append(_ambient.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ambient.reset(self._tokens.pop())
        self.settle()

    def settle(self) -> None:
        """Book the estimates of calls without a reported end: LangChain reports none of cancelled calls."""
        with self._lock:
            left, self._open = self._open, OrderedDict()
        for call in left.values():
            self._seen(call, None)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 (the callback's signature)
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note a call that begins."""
        self._begin(messages[0] if messages else [], run_id, metadata or {}, kwargs)

    def on_llm_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 (the callback's signature)
        prompts: list[str],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note a call of a model that is no chat model; such a model cannot be wrapped."""
        self._begin([HumanMessage(prompt) for prompt in prompts[:1]], run_id, metadata or {}, kwargs)

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],  # noqa: ARG002 (the callback's signature)
        *,
        chunk: Any = None,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Read the usage of a chunk: LangChain's sum is too high if each chunk reports a running total."""
        with self._lock:
            call = self._open.get(run_id)
        if call is not None and chunk is not None:
            call.said.add(chunk)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Book a call that has ended."""
        call = self._end(run_id)
        if call is not None and not _is_cached(response):
            self._seen(call, known_fields(response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Book a failed call if it may be billed; a refused one counts as a request alone."""
        call = self._end(run_id)
        if call is None:
            return
        came = _pieces(kwargs.get("response"))
        if came is not None:
            self._seen(call, known_fields(came))
        elif call.said.started:
            self._seen(call, call.said.fields())
        elif not isinstance(error, Exception):
            self._seen(call, None)
        else:
            self._failed(call, outcome_of(error))

    def _failed(self, call: _Open, outcome: Outcome) -> None:
        if outcome.end is End.UNSENT:
            return
        if outcome.end is End.REFUSED:
            if self._books:
                self._book(call.prompt, Usage.zero(), outcome.requests)
        elif outcome.end is End.UNANSWERED:
            # Each request may have been worked on.
            for _ in range(outcome.requests):
                self._seen(call, outcome.fields)
        else:
            # An answer counts once, however many requests it took.
            self._seen(call, outcome.fields, outcome.requests)

    def _begin(
        self, messages: Sequence[BaseMessage], run_id: UUID, metadata: Mapping[str, Any], kwargs: Any
    ) -> None:
        if metadata.get(GUARDED):
            return
        params = kwargs.get("invocation_params") or {}
        prompt = read_messages(messages, params, metadata)
        with self._lock:
            self._open[run_id] = _Open(prompt)
            lost = self._open.popitem(last=False)[1] if len(self._open) > OPEN_MAX else None
        if lost is not None:
            self._seen(lost, None)

    def _end(self, run_id: UUID) -> _Open | None:
        with self._lock:
            return self._open.pop(run_id, None)

    def _seen(self, call: _Open, fields: Fields | None, requests: int = 1) -> None:
        prompt = call.prompt
        if call.said.has_totals:
            fields = call.said.fields()
        usage = _usage(self._layer, prompt, fields)
        booked = self._books and self._book(prompt, usage, requests)
        seen = UnmeteredCall(prompt.model_name, usage, fields is None, prompt.labels.get("agent"), booked)
        with self._lock:
            self.count += 1
            self.calls.append(seen)
            if not booked:
                self.unbooked += usage
        if self._on_call is not None:
            try:
                self._on_call(seen)
            except Exception:
                _log.exception("the function on_call of an audit raised an exception")

    def _book(self, prompt: Prompt, usage: Usage, requests: int) -> bool:
        try:
            self._layer.check_price(prompt.model_name)
            call = Call()
            # The usage is spent already, so nothing is held: only a budget in debt refuses that.
            call.reserve(self._layer.budgets, UsageEstimate(), **self._layer.keywords(prompt))
            call.commit(usage, requests=requests)
        except Exception as error:
            # An error must not end the run that is watched; `unbooked` has the usage that is not booked.
            _log.warning("a call of the unwrapped model %r could not be booked: %s", prompt.model_name, error)
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Open:
    """A call that has begun: its prompt, and the usage in its chunks."""

    prompt: Prompt
    said: MessageUsage = field(default_factory=MessageUsage)


def _usage(layer: Layer, prompt: Prompt, fields: Fields | None) -> Usage:
    """Return the usage, or the estimate if it is unknown. It has no cost if the model has no price."""
    if layer.prices is not None and not layer.prices.knows(prompt.model_name or ""):
        layer = replace(layer, prices=None)
    reported = None if fields is None else layer.usage(fields, prompt)
    if reported is not None:
        return reported
    estimate: Fields = {"input_tokens": prompt.input_tokens, "output_tokens": layer.output_reserve(prompt)}
    return layer.usage(estimate, prompt) or Usage(**estimate)


def _pieces(response: Any) -> LLMResult | None:
    """Return the pieces that a stream gave before it failed; None if there were none.

    LangChain adds the error's own HTTP response as one more generation, without text.
    """
    came: list[list[Any]] = []
    for each in response.generations if isinstance(response, LLMResult) else []:
        came.append([one for one in each if isinstance(one, ChatGenerationChunk | GenerationChunk)])
    return LLMResult(generations=[each for each in came if each]) if any(came) else None


def _is_cached(response: LLMResult) -> bool:
    # An answer out of LangChain's cache repeats its old usage, and says that it costs nothing.
    generation = response.generations[0][0] if response.generations and response.generations[0] else None
    usage = getattr(getattr(generation, "message", None), "usage_metadata", None) or {}
    return usage.get("total_cost") == 0
