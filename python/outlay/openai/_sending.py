"""The HTTP requests of one call of the client. Each of them is reserved and ended by itself.

The client tries again by itself after a time-out, a 429 or a 5xx. A request that was sent counts and may be
billed, so the next one is admitted anew. The rate limit in each answer goes to the limiters.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

import openai

from outlay._wraps import ModelCall, body_of, ending_failed, known_fields
from outlay.openai._request import Request

_TOO_MANY_REQUESTS = 429


class Sending:
    """A context manager around the client's own `request`, which may send more than once.

    Args:
        make: Makes the call of one request; the first is made at once, and not reserved yet.
        sees: The client shows each request that it sends; the older ones of version 2 do not.

    """

    def __init__(self, make: Callable[[], ModelCall], *, sees: bool) -> None:
        self.call = make()
        self._make = make
        self._sees = sees
        self._sent = 0
        self._ended = False
        self._answer: Any = None
        self._token: Token[Sending | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_exception: object) -> None:
        if self._token is not None:
            # A coroutine that is thrown away unfinished ends in another context, where nothing was set.
            with contextlib.suppress(ValueError):
                _current.reset(self._token)

    def begin(self) -> None:
        """Count a request that is about to be sent; all but the first are reserved here."""
        if self._sent:
            self._next().reserve()
        self._sent += 1

    async def begin_async(self) -> None:
        """Do as `begin` does; where it waits, the event loop goes on."""
        if self._sent:
            await self._next().reserve_async()
        self._sent += 1

    def _next(self) -> ModelCall:
        self._ended = False
        self.call = self._make()
        return self.call

    def hear(self, response: Any) -> None:
        """Take the answer to one request: an error ends its call, a success is booked when it is read."""
        if response.is_success:
            self._answer = response
            return
        self._ended = True
        if response.status_code == _TOO_MANY_REQUESTS:
            self.call.unbilled()
        else:
            self.call.refused()
        self._tell(response)

    def broke(self, error: BaseException) -> None:
        """End the call of a request to which no answer came."""
        self._ended = True
        self.call.fail(error, requests=1)

    def fail(self, asked: Request, error: BaseException) -> None:
        """End what is still open when the client raises.

        Args:
            asked: The call of the client.
            error: What it raised.

        """
        if not self._ended:
            with ending_failed():
                self._end(asked, error)
        self.tell(error)

    def _end(self, asked: Request, error: BaseException) -> None:
        if asked.answered:
            # The answer came and is billed; it was the caller's own format that it did not fit.
            self.call.commit(known_fields(asked.answered[-1]))
        elif self._answer is not None and isinstance(error, Exception):
            self.call.unusable(error)
        elif self._sees and not self._sent:
            self.call.release()
        else:
            self.call.fail(error)

    def tell(self, error: BaseException | None = None) -> None:
        """Pass an answer that the limiters have not seen yet to them, after the call was booked.

        Args:
            error: What the client raised, if it did.

        """
        if self._answer is not None:
            self._tell(self._answer)
        elif isinstance(error, openai.APIStatusError) and not self.call.observed:
            # The older clients of version 2 show no request but the last, and a stream's error is read late.
            self._tell(error.response)

    def _tell(self, response: Any) -> None:
        body = None if response.is_success else body_of(response)
        self.call.observe(response.headers, response.status_code, body)


_current: ContextVar[Sending | None] = ContextVar("outlay_openai_sending", default=None)


def sending(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return the client's `_send_request`, each request of which is a call of its own."""

    @functools.wraps(send)
    def sent(*args: Any, **keywords: Any) -> Any:
        seen = _current.get()
        if seen is None:
            return send(*args, **keywords)
        seen.begin()
        try:
            with seen.call.entered():
                response = send(*args, **keywords)
        except BaseException as error:
            seen.broke(error)
            raise
        seen.hear(response)
        return response

    return sent


def sending_async(send: Callable[..., Any]) -> Callable[..., Any]:
    """Do as `sending` does, for an async client."""

    @functools.wraps(send)
    async def sent(*args: Any, **keywords: Any) -> Any:
        seen = _current.get()
        if seen is None:
            return await send(*args, **keywords)
        await seen.begin_async()
        try:
            with seen.call.entered():
                response = await send(*args, **keywords)
        except BaseException as error:
            seen.broke(error)
            await seen.call.ended(error)
            raise
        seen.hear(response)
        await seen.call.ended()
        return response

    return sent
