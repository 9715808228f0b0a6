"""`in_scope`: it gives a function the labels of the scopes around the code that passes it on."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from outlay._errors import PolicyError
from outlay._guard.relay import relay_async_generator, relay_generator
from outlay._guard.scopes import Inside, scoped

P = ParamSpec("P")
R = TypeVar("R")


def in_scope(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with the labels of the scopes around this call, wherever it runs.

    A thread does not inherit the scopes of the code that starts it, nor does an executor. Without its labels,
    a request matches no rule that names one. The function takes along the labels of `guard.scope`,
    `guard.run` and `guard.step` that are set now, and a `guard.landing`. Where it runs, they come before the
    labels of the scopes there.

    The function may be plain, async, a generator or an async generator, and keeps its name and its signature.
    A generator has the labels in each of its steps. A scope that it begins itself reaches its own steps
    alone, and not the code that takes its items.

    Args:
        function: The function that will run in a thread, an executor, a callback or a task of another
            context.

    Returns:
        The function. It is made for this process: it does not pickle.

    Raises:
        PolicyError: `function` cannot be called.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from outlay import BudgetExceeded, Guard, in_scope
        >>> rule = {"name": "each", "scope": {"agent": "*"}, "limit": {"calls": 3}}
        >>> guard = Guard({"defaults": {"require": ["agent"]}, "budget": [rule]})
        >>> def call(number):
        ...     try:
        ...         guard.reserve().commit()
        ...     except BudgetExceeded:
        ...         return 0
        ...     return 1
        >>> with guard.scope(agent="a-1"), ThreadPoolExecutor(4) as pool:
        ...     sum(pool.map(in_scope(call), range(50)))
        3

    """
    if not callable(function):
        raise PolicyError(f"function: a function is allowed, not {function!r:.100}")
    labels = scoped()
    made: Callable[P, R] = _wrapper(function)(function, labels)
    return made


_Labels = dict[str, str]


def _wrapper(function: Any) -> Callable[[Any, _Labels], Any]:
    """Return the maker of wrappers for a function of that kind."""
    for is_kind, wrapper in (
        (inspect.isasyncgenfunction, _async_generator),
        (inspect.isgeneratorfunction, _generator),
        (inspect.iscoroutinefunction, _coroutine),
    ):
        if is_kind(function) or is_kind(getattr(function, "__call__", None)):  # noqa: B004 (its kind)
            return wrapper
    return _plain


def _plain(function: Callable[..., Any], labels: _Labels) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with Inside(labels):
            result = function(*args, **kwargs)
        # A wrapper may hide that the function is of another kind.
        if inspect.iscoroutine(result):
            return _awaited(result, labels)
        if inspect.isgenerator(result):
            return _generator(lambda: result, labels)()
        return _async_generator(lambda: result, labels)() if inspect.isasyncgen(result) else result

    return call


def _coroutine(function: Callable[..., Any], labels: _Labels) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await _awaited(function(*args, **kwargs), labels)

    return call


async def _awaited(coroutine: Coroutine[Any, Any, Any], labels: _Labels) -> Any:
    with Inside(labels):
        return await coroutine


def _generator(function: Callable[..., Any], labels: _Labels) -> Callable[..., Any]:
    return relay_generator(function, lambda _args, _kwargs: _AroundScope(labels))


def _async_generator(function: Callable[..., Any], labels: _Labels) -> Callable[..., Any]:
    return relay_async_generator(function, lambda _args, _kwargs: _AroundScope(labels))


class _AroundScope:
    """The scopes around a generator: all of its steps are inside them, and its end is."""

    __slots__ = ("_inside",)

    def __init__(self, labels: _Labels) -> None:
        self._inside = Inside(labels)

    def reserve(self) -> None: ...

    async def reserve_async(self) -> None: ...

    def entered(self) -> Inside:
        return self._inside

    closing = entered

    def add(self, item: Any) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def commit_items(self) -> None: ...

    async def ended(self, error: BaseException | None = None) -> None: ...
