"""`wrap`: LiteLLM's functions and Routers, which ask their budgets before each call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

import litellm
from litellm.router import Router

from outlay import PolicyError, PriceTable
from outlay._wraps import AnyBudget, CallOptions, EstimateMode, Layer, Unguarded, make_layer
from outlay.litellm._call import LiteCall, from_cache, lite_call, named
from outlay.litellm._methods import GUARDED, guarded_of, positional, tell_unguarded
from outlay.litellm._streams import AsyncStream, SyncStream

TargetT = TypeVar("TargetT")


def wrap(
    target: TargetT,
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
) -> TargetT:
    """Return LiteLLM's function, module or Router so that it reserves from its budgets before each call.

    A function is returned guarded, and LiteLLM's own stays as it is. The module `litellm` becomes an object
    that has the guarded functions and no others. A `Router` is guarded in place.

    A call is one lease, with all its retries and fallbacks: LiteLLM's `num_retries`, its `fallbacks`, the
    Router's. If the prices know the model that answered, its price is booked. A refusal is raised before any
    of that begins. It is both the outlay class and LiteLLM's `OpenAIError`, with the status 422, so a Router
    around it neither retries nor re-wraps it.

    Prices are looked up by the name of the model, with or without the provider's prefix; for a Router by the
    name of the model group. LiteLLM's own prices are never used.

    Args:
        target: `litellm.completion`, `text_completion`, `embedding`, `responses`, `anthropic_messages`,
            `agenerate_content` and the like, sync or async; the module `litellm`; or a `litellm.Router`.
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
        The guarded target.

    Raises:
        PolicyError: An argument is not what it should be; raised by the call where its model has no price.
        InvalidAmount: `output_tokens` is no whole number, or negative.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> import litellm
        >>> from outlay import LimitExceeded, SharedPool
        >>> completion = wrap(litellm.completion, SharedPool(capacity_tokens=100))
        >>> try:
        ...     completion("openai/gpt-x", [{"role": "user", "content": "Hi"}], max_tokens=200)
        ... except LimitExceeded as refusal:
        ...     print(refusal.kind, refusal.limit, isinstance(refusal, litellm.OpenAIError))
        token 100 True

    """
    layer = make_layer(
        budget,
        CallOptions(operation, prices, output_tokens, wait, estimate, unguarded),
        labels=(labels, named),
        made_by="litellm",
    )
    layer.check_price(None)
    return _guarded(target, layer)  # type: ignore[no-any-return]


def _guarded(target: Any, layer: Layer) -> Any:
    if isinstance(target, Router):
        for name in guarded_of(target):
            # On the instance, where the Router's own chat.completions and batches find them too.
            setattr(target, name, _guard(getattr(target, name), name, layer, is_router=True))
        tell_unguarded(target, layer)
        return target
    if isinstance(target, ModuleType) and target is litellm:
        return Functions(layer)
    if inspect.isroutine(target) and getattr(target, "__name__", None) in GUARDED:
        return _guard(target, target.__name__, layer)
    allowed = ", ".join(GUARDED)
    what = getattr(target, "__name__", None) or type(target).__name__
    raise PolicyError(f"target: one of {allowed}, the module litellm or a Router is allowed, not {what}")


class Functions:
    """The guarded functions of LiteLLM, under its names."""

    def __init__(self, layer: Layer) -> None:
        for name in guarded_of(litellm):
            setattr(self, name, _guard(getattr(litellm, name), name, layer))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"litellm.{name} is not guarded; what is: {', '.join(guarded_of(litellm))}")


def _guard(
    function: Callable[..., Any], name: str, layer: Layer, *, is_router: bool = False
) -> Callable[..., Any]:
    names = positional(name, function, is_router=is_router)
    return (_guard_async if name.startswith("a") else _guard_sync)(function, name, layer, names)


def _guard_sync(
    function: Callable[..., Any], name: str, layer: Layer, names: Sequence[str]
) -> Callable[..., Any]:

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        arguments = named(names, args, kwargs)
        call = lite_call(name, (layer,), arguments)
        call.reserve()
        hide = _ask_for_usage(name, arguments)
        try:
            with call.entered():
                response = function(**arguments)
        except BaseException as error:
            call.fail(error)
            call.heard(error)
            raise
        return _settled(response, call, hide, SyncStream)

    return guarded


def _guard_async(
    function: Callable[..., Any], name: str, layer: Layer, names: Sequence[str]
) -> Callable[..., Any]:

    @functools.wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        arguments = named(names, args, kwargs)
        call = lite_call(name, (layer,), arguments)
        await call.reserve_async()
        hide = _ask_for_usage(name, arguments)
        try:
            with call.entered():
                response = await function(**arguments)
        except BaseException as error:
            call.fail(error)
            call.heard(error)
            await call.ended(error)
            raise
        settled = _settled(response, call, hide, AsyncStream)
        await call.ended()
        return settled

    return guarded


def _ask_for_usage(name: str, arguments: dict[str, Any]) -> bool:
    """Make a stream of chat completions report its usage. Return whether the caller did not ask for it."""
    if not arguments.get("stream") or not name.endswith("completion") or "adapter" in name:
        return False
    options = arguments.get("stream_options")
    options = dict(options) if isinstance(options, Mapping) else {}
    arguments["stream_options"] = {**options, "include_usage": True}
    return options.get("include_usage") is not True


def _settled(response: Any, call: LiteCall, hide: bool, stream: type[AsyncStream] | type[SyncStream]) -> Any:
    # A response of LiteLLM is a pydantic model, which iterates over its fields.
    if not hasattr(response, "model_dump"):
        # LiteLLM's stream has both ways of reading it, and works in the one that it was asked in.
        step = "__anext__" if stream is AsyncStream else "__next__"
        if not hasattr(response, step) and hasattr(response, "__anext__"):
            # Some of its functions that are not async return a stream that is.
            stream, step = AsyncStream, "__anext__"
        if hasattr(response, step):
            if not from_cache(response):
                call.heard(response)
            return stream(response, call, hide=hide)
    if from_cache(response):
        call.release()
        return response
    call.answered(response)
    call.settle(response)
    call.heard(response)
    return response
