"""`governed`: a decorator that puts any function under a budget."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

from outlay._calls.budgets import AnyBudget
from outlay._core import PriceTable, Usage, UsageEstimate
from outlay._errors import PolicyError
from outlay._governed.run import Run
from outlay._governed.settings import Settings
from outlay._guard.relay import relay_async_generator, relay_generator
from outlay._wraps.arguments import CallOptions, make_layer

FuncT = TypeVar("FuncT", bound=Callable[..., Any])
Estimate: TypeAlias = int | UsageEstimate
Estimator: TypeAlias = Estimate | Callable[..., Estimate]
UsageReader: TypeAlias = Callable[[Any], Usage | int | None]


def governed(
    budget: AnyBudget | Sequence[AnyBudget],
    estimate: Estimator | None = None,
    usage: UsageReader | None = None,
    *,
    operation: str = "query",
    wait: float | timedelta | None = None,
    prices: Mapping[str, Mapping[str, str]] | PriceTable | None = None,
    model: str | None = None,
    labels: Mapping[str, str] | None = None,
    **named: str,
) -> Callable[[FuncT], FuncT]:
    """Decorate a function so that each call reserves from its budgets first and is settled after it.

    The function may be plain, async, a generator or an async generator, a method, a class method or a
    static one; it keeps its name and its signature. A refusal is raised before its body runs.

    After the body, its usage is booked: the result of `usage`, else the usage in the result (as
    `Usage.from_response` reads it), else the estimate. A body that raises gives tokens and money back, unless
    the budget says `on_error="charge"`, and counts as a call. A body that times out or is cancelled is
    charged (`docs/settling.md`). A generator is one call; once it has given an item, it is charged, however
    it ends.

    With an estimate, the function pays for the governed functions and wrapped clients inside it too. Without
    one, nothing is held for them: they ask and pay for themselves, and this call counts in addition.

    Args:
        budget: A `SharedPool`, `AgentTokenBudget`, `AgentBudget`, `RateLimiter` or `WorkflowToken` (one step
            a call), an object with the `outlay.Budget` protocol, or a list of them.
        estimate: Tokens, a `UsageEstimate`, or a function of the call's arguments; default None, no tokens.
        usage: Returns what was used, of the result; for a generator, of the list of its items. Tokens, a
            `Usage`, or None for the estimate. If it fails, that is logged and the estimate is booked.
        operation: The operation that an `AgentTokenBudget` weighs; default "query".
        wait: How long a call may wait where a pool or a limiter is full: seconds or a timedelta; default
            None, not at all. A generator waits at its first item.
        prices: USD per million tokens, as text, by model name; for limits on cost, unless estimates carry it.
        model: The name under which the price is looked up.
        labels: Labels as a mapping, beside the keywords; default None.
        **named: Labels, passed to guards, and to objects with the `outlay.Budget` protocol.

    Returns:
        The decorator.

    Raises:
        PolicyError: An argument is not what it should be, or a budget limits cost and nothing names one.
        InvalidAmount: An estimate is no whole number of tokens (at the call where a function makes it).
        InvalidId: The name or the value of a label is empty, or longer than 1,024 bytes.

    Example:
        >>> from outlay import SharedPool
        >>> pool = SharedPool(capacity_tokens=100)
        >>> @governed(pool, estimate=lambda text: 2 * len(text), usage=len)
        ... def shout(text):
        ...     return text.upper()
        >>> shout("hello")
        'HELLO'
        >>> pool.committed().total_tokens
        5

    """
    if isinstance(model, str) and model:
        # It is a label too, so that `labels` may not name another model.
        named = {**named, "model": model}
    options = CallOptions(operation, prices, wait=wait)
    layer = make_layer(budget, options, labels=(labels, named), made_by="governed")
    settings = Settings(layer, estimate, usage, model)

    return lambda function: _govern(function, settings)


# The wrappers, one for each kind of function.


def _govern(function: Any, settings: Settings) -> Any:
    if isinstance(function, staticmethod | classmethod):
        return type(function)(_govern(function.__func__, settings))
    if not callable(function) or isinstance(function, type):
        raise PolicyError(f"governed: a function is allowed, not {function!r:.100}")
    for is_kind, govern in (
        (inspect.isasyncgenfunction, _govern_async_generator),
        (inspect.isgeneratorfunction, _govern_generator),
        (inspect.iscoroutinefunction, _govern_async),
    ):
        if is_kind(function) or is_kind(getattr(function, "__call__", None)):  # noqa: B004 (its kind)
            return govern(function, settings)
    return _govern_plain(function, settings)


def _govern_plain(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        run = Run(settings, args, kwargs)
        run.reserve()
        try:
            with run.entered():
                result = function(*args, **kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        if inspect.iscoroutine(result):
            # A wrapper may hide that the function is async.
            return _finish(run, lambda: result)
        run.commit(result)
        return result

    return call


def _govern_async(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        run = Run(settings, args, kwargs)
        await run.reserve_async()
        return await _finish(run, lambda: function(*args, **kwargs))

    return call


async def _finish(run: Run, start: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        with run.entered():
            result = await start()
    except BaseException as error:
        run.fail(error)
        await run.ended(error)
        raise
    run.commit(result)
    await run.ended()
    return result


def _govern_generator(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    return relay_generator(function, functools.partial(Run, settings))


def _govern_async_generator(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    return relay_async_generator(function, functools.partial(Run, settings))
