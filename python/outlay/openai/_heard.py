"""What the answers to the HTTP requests of one call say of the provider's rate limit."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

import openai

from outlay._model_call import ModelCall


class Heard:
    """The answers to one call, told to its limiters: a refusal at once, an answer when it is booked.

    A context manager around the client's own `request`, which may send more than once.

    Args:
        call: The call.

    """

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._answer: Any = None
        self._told = False
        self._token: Token[Heard | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_exception: object) -> None:
        if self._token is not None:
            # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
            with contextlib.suppress(ValueError):
                _current.reset(self._token)

    def hear(self, response: Any) -> None:
        """Take the HTTP response to one attempt."""
        if response.is_success:
            self._answer = response
        else:
            self._tell(response)

    def tell(self, error: BaseException | None = None) -> None:
        """Tell what is not told yet, after the call was booked.

        Args:
            error: What the client raised, if it did.

        """
        if self._answer is not None:
            self._tell(self._answer)
        elif isinstance(error, openai.APIStatusError) and not self._told:
            # The older clients of version 2 show no attempt but the last.
            self._tell(error.response)

    def _tell(self, response: Any) -> None:
        self._told = True
        self._call.observe(response.headers, response.status_code)


_current: ContextVar[Heard | None] = ContextVar("outlay_openai_heard", default=None)


def hearing(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return the client's `_send_request`, heard by the call around it."""

    @functools.wraps(send)
    def sent(*args: Any, **keywords: Any) -> Any:
        return _heard(send(*args, **keywords))

    return sent


def hearing_async(send: Callable[..., Any]) -> Callable[..., Any]:
    """Do as `hearing` does, for an async client."""

    @functools.wraps(send)
    async def sent(*args: Any, **keywords: Any) -> Any:
        return _heard(await send(*args, **keywords))

    return sent


def _heard(response: Any) -> Any:
    listener = _current.get()
    if listener is not None:
        listener.hear(response)
    return response
