"""The relaying of generators: each of their steps runs inside a context.

Values and exceptions that are sent in go on to the generator. The plain loop and the async loop stand side by
side, because Python has no `yield from` in async generators.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Around(Protocol):
    """The context of one generator that is relayed."""

    def reserve(self) -> None:
        """Begin, before the generator is made. If this raises, it is not made."""

    async def reserve_async(self) -> None:
        """Do as `reserve` does, and wait without blocking the event loop."""

    def entered(self) -> AbstractContextManager[Any]:
        """Return the context that a step runs inside."""

    def closing(self) -> AbstractContextManager[Any]:
        """Return the context that the generator is closed inside."""

    def add(self, item: Any) -> None:
        """Note an item that the generator gives."""

    def fail(self, error: BaseException) -> None:
        """End after an exception, which goes on to the caller."""

    def commit_items(self) -> None:
        """End after the last item."""

    async def ended(self, error: BaseException | None = None) -> None:
        """Await what of the end is async; `error` is what was raised."""


Begin = Callable[[tuple[Any, ...], Mapping[str, Any]], Around]


def relay_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """Return a generator function that relays the items of `function`.

    Args:
        function: A generator function.
        begin: Makes the context of one call from the arguments of the call.

    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        around = begin(args, kwargs)
        around.reserve()
        items: Generator[Any, Any, Any] | None = None
        try:
            with around.entered():
                items = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(next, items)
            while True:
                try:
                    with around.entered():
                        item = step()
                except StopIteration as end:
                    returned = end.value
                    break
                around.add(item)
                try:
                    step = functools.partial(items.send, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    step = functools.partial(items.throw, thrown)
        except BaseException as error:
            around.fail(error)
            raise
        finally:
            if items is not None:
                with around.closing():
                    items.close()
        around.commit_items()
        return returned

    return call


def relay_async_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """Do as `relay_generator` does, for an async generator function."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        around = begin(args, kwargs)
        await around.reserve_async()
        items: AsyncGenerator[Any, Any] | None = None
        try:
            with around.entered():
                items = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(anext, items)
            while True:
                try:
                    with around.entered():
                        item = await step()
                except StopAsyncIteration:
                    break
                around.add(item)
                try:
                    step = functools.partial(items.asend, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    step = functools.partial(items.athrow, thrown)
        except BaseException as error:
            around.fail(error)
            await around.ended(error)
            raise
        finally:
            if items is not None:
                with around.closing():
                    await items.aclose()
        around.commit_items()
        await around.ended()

    return call
