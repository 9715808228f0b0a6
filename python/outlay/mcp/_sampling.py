"""`wrap_sampling`: what a server asks of the client's model, charged to the client's budget."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from outlay import LimitExceeded, PolicyError
from outlay._wraps import AnyBudget, CallOptions, Layer, ModelCall, Prompt, make_layer, pass_by, read_body
from outlay.mcp._steps import StepLayer

_REFUSED = -32000  # JSON-RPC: the first code that is left to implementations
_MODEL = "client-model"
# On a callback of `wrap_sampling`; and the name of the one by which mcp refuses all sampling.
_ASKS = "_outlay_asks"
_REFUSES = "_default_sampling_callback"


def wrap_sampling(
    callback: Callable[..., Any],
    budget: AnyBudget | Sequence[AnyBudget],
    *,
    operation: str = "sampling",
    prices: Mapping[str, str] | None = None,
    wait: float | timedelta | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> Callable[..., Awaitable[Any]]:
    """Return a sampling callback that reserves before it asks the client's model.

    A server may ask for as many completions as it likes, on the client's bill. What it asks for carries its
    own output limit, so the estimate is the prompt and that limit in full. MCP tells no usage, so the
    estimate is what is booked. Where the callback asks a model or a client that is wrapped with the same
    budget, leave this out: there the true usage is known.

    A refusal is answered as an MCP error whose message is the refusal's JSON; the session goes on.

    Args:
        callback: The `sampling_callback` of mcp (context, params), or the `sampling_handler` of FastMCP
            (messages, params, context), sync or async.
        budget: One budget, or a list of them; as in the wrap of a model.
        operation: The operation that an `AgentTokenBudget` weighs; default "sampling".
        prices: USD per million tokens, as text, of the client's model: input and output. Needed where a
            budget limits cost.
        wait: Seconds or a timedelta that a call may wait for a pool or a limiter; default None, not at all.
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        The guarded callback.

    Raises:
        PolicyError: An argument is not what it should be.
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> import asyncio
        >>> from mcp import types
        >>> from outlay import SharedPool
        >>> async def answer(context, params):
        ...     text = types.TextContent(type="text", text="Blue.")
        ...     return types.CreateMessageResult(role="assistant", content=text, model="m")
        >>> pool = SharedPool(capacity_tokens=100)
        >>> guarded = wrap_sampling(answer, pool)
        >>> question = {"role": "user", "content": {"type": "text", "text": "A colour?"}}
        >>> asked = {"messages": [question], "maxTokens": 60}
        >>> params = types.CreateMessageRequestParams.model_validate(asked)
        >>> first, second = [asyncio.run(guarded(None, params)) for _ in range(2)]
        >>> first.content.text, type(second).__name__, pool.committed().total_tokens
        ('Blue.', 'ErrorData', 67)

    """
    if not callable(callback):
        raise PolicyError(f"callback: a function is allowed, not {type(callback).__name__}")
    layer = make_layer(
        budget,
        CallOptions(operation=operation, prices=None if prices is None else {_MODEL: prices}, wait=wait),
        labels=(labels, named),
        made_by="mcp",
    )
    layer.check_price(_MODEL)

    @functools.wraps(callback)
    async def guarded(*args: Any) -> Any:
        return await _sample(callback, args, layer)

    setattr(guarded, _ASKS, True)
    return guarded


def tell_sampling(client: Any, layer: StepLayer) -> None:
    """Make a client say that its sampling asks a model and no budget, as the wrap's `unguarded` says.

    Args:
        client: A client or a session, whose callback is replaced in place where it has one.
        layer: What the wrap was given.

    """
    for place, name in ((client, "sampling_callback"), (client, "_sampling_callback")):
        callback = getattr(place, name, None)
        if callback is not None:
            setattr(place, name, _telling(callback, layer))
    # FastMCP keeps what it will give to its session.
    kept = getattr(client, "_session_kwargs", None) or {}
    if kept.get("sampling_callback") is not None:
        kept["sampling_callback"] = _telling(kept["sampling_callback"], layer)


def _telling(callback: Any, layer: StepLayer) -> Any:
    within = inspect.getclosurevars(callback).nonlocals if inspect.isfunction(callback) else {}
    # FastMCP wraps the handler that it was given.
    handler = within.get("sampling_handler", callback)
    if getattr(handler, _ASKS, False) or getattr(callback, "__name__", "") == _REFUSES:
        return callback

    @functools.wraps(callback)
    async def asked(*args: Any) -> Any:
        try:
            pass_by((layer,), "outlay.mcp", "sampling", "tool calls, and callbacks of wrap_sampling")
        except PolicyError as fault:
            from mcp.types import ErrorData

            return ErrorData(code=_REFUSED, message=str(fault))
        return await callback(*args)

    return asked


async def _sample(callback: Callable[..., Any], args: tuple[Any, ...], layer: Layer) -> Any:
    call = ModelCall([layer], _prompt(args, layer), lambda refusal: refusal)
    try:
        await call.reserve_async()
    except LimitExceeded as refusal:
        if len(args) != 2:  # FastMCP makes the error itself, of what its handler raises.
            raise
        from mcp.types import ErrorData

        return ErrorData(code=_REFUSED, message=str(refusal))
    try:
        with call.entered():
            answer = callback(*args)
            if inspect.isawaitable(answer):
                answer = await answer
    except BaseException as error:
        call.fail(error)
        await call.ended(error)
        raise
    call.commit(None)
    await call.ended()
    return answer


def _prompt(args: tuple[Any, ...], layer: Layer) -> Prompt:
    asked = next((one for one in args if hasattr(one, "messages")), None)
    if asked is None:
        raise PolicyError(
            "callback: its parameters are neither (context, params) nor (messages, params, context)"
        )
    params = asked.model_dump(mode="json", by_alias=True, exclude_none=True)
    body = {
        # A message holds one block or a list of them; read_body knows lists.
        "messages": [{**message, "content": _blocks(message["content"])} for message in params["messages"]],
        "system": params.get("systemPrompt"),
        "tools": params.get("tools"),
        "max_tokens": params.get("maxTokens"),
    }
    return read_body(body, provider="mcp", model=None if layer.prices is None else _MODEL)


def _blocks(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]
