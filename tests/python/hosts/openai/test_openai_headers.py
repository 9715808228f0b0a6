"""Limiters read the provider's rate-limit headers: of answers, of streams, of every refusal."""

from __future__ import annotations

import openai
import pytest

from outlay import Guard, ManualClock, RateLimiter, RateLimitExceeded
from outlay.openai import wrap
from outlay.testing import Reply

ASK = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}
NEARLY_FULL = {"x-ratelimit-limit-tokens": "100000", "x-ratelimit-remaining-tokens": "40"}


def plain_answer(completions):
    """Ask for an answer."""
    completions.create(**ASK)


def stream(completions):
    """Read a stream to its end."""
    list(completions.create(**ASK, stream=True))


def raw_response(completions):
    """Ask for a raw response."""
    completions.with_raw_response.create(**ASK)


def streaming_response(completions):
    """Read a streaming response."""
    with completions.with_streaming_response.create(**ASK) as response:
        response.read()


@pytest.mark.parametrize("call", [plain_answer, stream, raw_response, streaming_response])
def test_a_limiter_is_told_the_headers(serve, plain, call):
    """However the answer is read."""
    server = serve(Reply(text="a b", headers=NEARLY_FULL))
    completions = wrap(plain(server), RateLimiter(100_000)).chat.completions
    call(completions)
    with pytest.raises(RateLimitExceeded):
        completions.create(**ASK)
    assert server.calls == 1


def test_the_limiters_of_a_guard_are_told_under_the_labels_of_the_call(serve, plain):
    """Of the wrap, of the scope around it and of the request: another team's limiter hears nothing."""
    scope = {"model": "gpt-x", "provider": "openai", "team": "*", "user": "u"}
    rule = {"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers", "scope": scope}
    guard = Guard({"limiter": [rule]})
    server = serve(Reply(text="a b", headers=NEARLY_FULL), Reply(text="a b"))
    client = wrap(plain(server), guard, user="u")
    with guard.scope(team="red"):
        answer = client.chat.completions.create(**ASK, stream=True)
    list(answer)
    with guard.scope(team="red"), pytest.raises(RateLimitExceeded):
        client.chat.completions.create(**ASK)
    with guard.scope(team="blue"):
        client.chat.completions.create(**ASK)
    assert server.calls == 2


def test_a_limiter_that_a_429_has_shut_holds_the_clients_own_retry_back(serve, plain):
    """It is told while the client retries, and its clock stands still: the second request is not sent."""
    clock = ManualClock()
    limiter = RateLimiter(100_000, clock=clock)
    busy = Reply(status=429, headers={"retry-after-ms": "1"})
    server = serve(busy, Reply(text="a"))
    client = wrap(plain(server, max_retries=1), limiter)
    with pytest.raises(RateLimitExceeded) as refused:
        client.chat.completions.create(**ASK)
    assert (server.calls, refused.value.retry_after) == (1, 0.001)
    clock.advance(0.001)
    client.chat.completions.create(**ASK)
    assert server.calls == 2


def test_a_limiter_is_told_of_the_last_429(serve, plain):
    """The client raises it."""
    limiter = RateLimiter(100_000)
    server = serve(Reply(status=429, headers={"retry-after": "60"}))
    with pytest.raises(openai.RateLimitError):
        wrap(plain(server), limiter).chat.completions.create(**ASK)
    assert 59 < limiter.retry_after() <= 60


async def test_a_limiter_of_an_async_client_is_told(serve, plain_async):
    """Answers, streams and refusals."""
    busy = Reply(status=429, headers={"retry-after": "60"})
    server = serve(Reply(text="a", headers=NEARLY_FULL), Reply(text="a", headers=NEARLY_FULL), busy)
    plain = plain_async(server)
    for more in ({}, {"stream": True}):
        limiter = RateLimiter(100_000)
        answer = await wrap(plain, limiter).chat.completions.create(**ASK, **more)
        if more:
            [chunk async for chunk in answer]
        assert not limiter.try_acquire(1_000)
    limiter = RateLimiter(100_000)
    with pytest.raises(openai.RateLimitError):
        await wrap(plain, limiter).chat.completions.create(**ASK)
    assert not limiter.try_acquire()


def test_headers_that_cannot_be_read_lose_no_answer(serve, plain, monkeypatch, caplog):
    """The answer is paid for."""
    guard = Guard({"limiter": [{"name": "tpm", "tokens_per_minute": 90_000, "adaptive": "headers"}]})
    monkeypatch.setattr("outlay._wraps.model_call.current_labels", lambda: {"team": ""})
    answer = wrap(plain(serve(Reply(text="a"))), guard).chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "a"
    assert "headers" in caplog.text
