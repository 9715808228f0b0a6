"""Calls that block, awaited: each runs in a thread of its own, so no pool of threads has to have room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

from outlay._waiting.no_loop import no_loop_error

_Result = TypeVar("_Result")


async def in_thread(call: Callable[[], _Result]) -> _Result:
    """Return what `call` returns, or raise what it raises. It sees the context variables of its caller.

    A caller that is cancelled does not wait for it.

    Raises:
        RuntimeError: No asyncio loop runs.

    """
    loop = asyncio._get_running_loop()
    if loop is None:
        raise no_loop_error()
    future: asyncio.Future[_Result] = loop.create_future()

    def deliver(end: Callable[[Any], None], value: Any) -> None:
        def ended() -> None:
            if not future.done():
                end(value)

        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(ended)

    def run() -> None:
        try:
            result = call()
        except BaseException as error:
            deliver(future.set_exception, error)
        else:
            deliver(future.set_result, result)

    Thread(target=copy_context().run, args=(run,), name="outlay-store-call", daemon=True).start()
    return await future
