"""Exceptions of real hosts and the fate of their request: unsent, refused, unanswered or answered."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import anthropic
import httpx
import httpx2
import openai
import pytest
from google.genai.errors import ServerError
from langchain_core.exceptions import ModelRateLimitError, ModelTimeoutError
from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior
from starlette.exceptions import HTTPException

from outlay import SharedPool, WaitTimeout
from outlay._usage.outcome import End, outcome_of, refusal_in

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1", headers={"x-stainless-retry-count": "2"})


def caused(error, cause):
    """Return an error that another has caused."""
    try:
        raise error from cause
    except Exception as raised:
        return raised


def status(code):
    """Return the error of a status."""
    return openai.APIStatusError("no", response=httpx2.Response(code, request=REQUEST), body=None)


def refusal():
    """Return a refusal of outlay."""
    with pytest.raises(Exception, match="exceeded") as refused:
        SharedPool(capacity_tokens=1).reserve(2)
    return refused.value


def timed_out_wait():
    """Return the end of a wait."""
    pool = SharedPool(capacity_tokens=1)
    with pool.reserve(1), pytest.raises(WaitTimeout) as late:
        pool.reserve_blocking(1, timeout=0)
    return late.value


@pytest.mark.parametrize(
    ("error", "end", "requests"),
    [
        (httpx.ConnectError("x"), End.UNSENT, 0),
        (httpx2.ConnectTimeout("x"), End.UNSENT, 0),
        (httpx2.PoolTimeout("x"), End.UNSENT, 0),
        (ConnectionRefusedError("x"), End.UNSENT, 0),
        (socket.gaierror("x"), End.UNSENT, 0),
        (caused(openai.APIConnectionError(request=REQUEST), httpx2.ConnectError("x")), End.UNSENT, 0),
        (caused(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout("x")), End.UNSENT, 0),
        (httpx.ReadTimeout("x"), End.UNANSWERED, 1),
        (httpx2.RemoteProtocolError("x"), End.UNANSWERED, 1),
        (httpx.ReadError("x"), End.UNANSWERED, 1),
        (TimeoutError("x"), End.UNANSWERED, 1),
        (BrokenPipeError("x"), End.UNANSWERED, 1),
        (openai.APITimeoutError(REQUEST), End.UNANSWERED, 3),
        (anthropic.APIConnectionError(request=REQUEST), End.UNANSWERED, 3),
        (caused(RuntimeError("x"), openai.APITimeoutError(REQUEST)), End.UNANSWERED, 3),
        # As the SDKs raise it: who counts the retries is not who says that no answer came.
        (caused(openai.APITimeoutError(REQUEST), httpx2.ReadTimeout("x")), End.UNANSWERED, 3),
        (ModelTimeoutError("x"), End.UNANSWERED, 1),
        (status(500), End.REFUSED, 3),
        (status(408), End.REFUSED, 3),
        (caused(RuntimeError("x"), status(429)), End.REFUSED, 3),
        (ModelHTTPError(502, "m"), End.REFUSED, 1),
        (ServerError(503, {"error": {"message": "x"}}), End.REFUSED, 1),
        (ModelRateLimitError("x"), End.REFUSED, 1),
        (ValueError({"message": "upstream failed", "code": 502}), End.REFUSED, 1),
        (ConnectionError("x"), End.REFUSED, 1),
        (ValueError("x"), None, 1),
        (KeyError("x"), None, 1),
        (UnexpectedModelBehavior("x"), None, 1),
        # What a web framework answers to its own caller says nothing of the provider.
        (HTTPException(404), None, 1),
        (openai.APIResponseValidationError(httpx2.Response(200, request=REQUEST), None), End.ANSWERED, 3),
        (refusal(), End.UNSENT, 0),
        (timed_out_wait(), End.UNSENT, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_an_exception_says(error, end, requests):
    """The outermost exception that is sure decides."""
    outcome = outcome_of(error)
    assert (outcome.end, outcome.requests) == (end, requests)


def test_the_usage_that_an_error_carries():
    """Of the answer that it is about, wherever in the chain of causes."""
    answer = {"usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
    error = ValueError("x")
    error.completion = answer
    outcome = outcome_of(caused(RuntimeError("y"), error))
    assert outcome.end is End.ANSWERED
    assert (outcome.fields["input_tokens"], outcome.fields["output_tokens"]) == (7, 2)


def test_what_an_error_hides_on_purpose_is_not_read():
    """`from None` says that the time-out before it is none of its causes."""
    with pytest.raises(ValueError, match="x") as raised:
        try:
            raise httpx.ReadTimeout("x")
        except httpx.ReadTimeout:
            raise ValueError("x") from None
    assert raised.value.__context__ is not None
    assert outcome_of(raised.value).end is None


@pytest.mark.parametrize("error", [{"message": "cut"}, "cut", SimpleNamespace(message="cut")])
@pytest.mark.parametrize(
    ("usage", "refused"),
    [
        (None, True),
        ({"prompt_tokens": 0, "completion_tokens": 0}, True),
        ({"prompt_tokens": 7, "completion_tokens": 2}, False),
    ],
)
def test_an_error_in_an_answer_that_tells_a_usage_is_billed(error, usage, refused):
    """As an object; and as the dict of its JSON, where it has such an error."""
    assert refusal_in(SimpleNamespace(error=error, usage=usage)) is refused
    if not isinstance(error, SimpleNamespace):
        assert refusal_in({"error": error, "usage": usage}) is refused


def test_exceptions_that_cause_each_other_are_read_once():
    """A circle ends."""
    one, other = ValueError("x"), ValueError("y")
    one.__cause__, other.__cause__ = other, one
    assert outcome_of(one).end is None


def test_a_retry_count_that_is_no_number_is_ignored():
    """So is one that nobody would believe."""
    for said, requests in (("x", 1), ("-5", 1), ("1e9", 1), ("1000000", 101)):
        request = httpx2.Request("POST", "http://127.0.0.1/v1", headers={"x-stainless-retry-count": said})
        assert outcome_of(openai.APITimeoutError(request)).requests == requests
