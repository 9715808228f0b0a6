"""The middleware that reserves before each HTTP attempt of an Anthropic client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from anthropic import Middleware

from outlay._http import Answers, speaking
from outlay._wraps import (
    Layer,
    ModelCall,
    Prompt,
    billed,
    may_cost,
    pass_by,
    plain_path,
    provider_at,
    read_body,
)
from outlay.anthropic._errors import as_anthropic_error

_MESSAGES = "/v1/messages"
_COMPLETE = "/v1/complete"
_GUARDED = "messages and completions"


class ReservingMiddleware(Middleware):
    """Asks the budgets of one wrap before each attempt, and ends the lease with the answer.

    The SDK runs it inside its retries, so a retry after a 429 or a 5xx is admitted anew.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._answers = Answers(httpx2)

    def handle(self, request: Any, call_next: Any) -> Any:
        """Guard one attempt of an `Anthropic` client."""
        prompt = _read(request)
        if prompt is None:
            self._pass_by(request)
            return call_next(request)
        call = ModelCall((self._layer,), prompt, as_anthropic_error)
        call.reserve()
        try:
            with call.entered():
                response = call_next(request)
        except BaseException as error:
            call.fail(error, requests=1)
            raise
        self._answered(response, call)
        return response

    async def handle_async(self, request: Any, call_next: Any) -> Any:
        """Guard one attempt of an `AsyncAnthropic` client."""
        prompt = _read(request)
        if prompt is None:
            self._pass_by(request)
            return await call_next(request)
        call = ModelCall((self._layer,), prompt, as_anthropic_error)
        await call.reserve_async()
        try:
            with call.entered():
                response = await call_next(request)
        except BaseException as error:
            call.fail(error, requests=1)
            await call.ended(error)
            raise
        self._answered(response, call)
        await call.ended()
        return response

    def _pass_by(self, request: Any) -> None:
        beside = billed(request.method, plain_path(request.url))
        if beside is not None:
            with speaking():
                pass_by((self._layer,), "outlay.anthropic", beside, _GUARDED)

    def _answered(self, response: Any, call: ModelCall) -> None:
        answer = getattr(response, "http_response", None)
        if answer is None:
            # A middleware further in had the answer at hand: nobody was asked.
            call.release()
        else:
            self._answers.answered(answer, call)


def _read(request: Any) -> Prompt | None:
    path = plain_path(request.url).lower()
    if not may_cost(request.method) or not path.endswith((_MESSAGES, _COMPLETE)):
        return None
    body = request.json if isinstance(request.json, Mapping) else {}
    # `extra_body=` of the call is merged into the body as it is sent.
    merged = getattr(request.options, "extra_json", None)
    if isinstance(merged, Mapping):
        body = {**body, **merged}
    if path.endswith(_COMPLETE):
        body = {**body, "input": body.get("prompt"), "max_tokens": body.get("max_tokens_to_sample")}
    return read_body(body, provider=provider_at(request.url, "anthropic"))
