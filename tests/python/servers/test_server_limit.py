"""The loopback server's rate limit, seen by the real OpenAI client, by a bare socket and by a naive book."""

import doctest
import http.client
import json
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai_support import chat, events, post

from outlay.testing import OpenAIServer, Reply, _rate_limit
from outlay.testing._rate_limit import RateLimit

LIMIT, REMAINING, RESET = (f"x-ratelimit-{word}-tokens" for word in ("limit", "remaining", "reset"))
MESSAGES: Any = [{"role": "user", "content": "hi"}]
THREADS = 32


class Seconds:
    """Monotonic seconds that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time, as the server asks for it."""
        return self.now


class Turnstile(Seconds):
    """A clock that notes how many threads read it at once, and gives the others time to come."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = self.most = 0

    def __call__(self) -> float:
        """Return the time, after a while."""
        self.inside += 1
        for _ in range(1_000):
            self.most = max(self.most, self.inside)
        self.inside -= 1
        return self.now


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def restless_threads():
    """Let threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def reply(tokens: int, text: str = "x", **more: Any) -> Reply:
    return Reply(text=text, usage={"prompt_tokens": tokens, "completion_tokens": 0}, **more)


def said(answer: tuple[int, dict[str, str], Any]) -> str | int:
    status, _, body = answer
    return body["choices"][0]["message"]["content"] if status == 200 else status


def window_of(headers: dict[str, str]) -> tuple[str, str, str]:
    return headers[LIMIT], headers[REMAINING], headers[RESET]


def test_the_docstring_examples_run():
    results = doctest.testmod(_rate_limit)
    assert results.attempted > 0
    assert results.failed == 0


def test_without_a_limit_there_are_no_headers_of_one():
    with OpenAIServer([reply(10)]) as server:
        assert not [name for name in post(server, chat("a"))[1] if "ratelimit" in name.lower()]
        assert server.refused == 0


@pytest.mark.parametrize("options", [{}, {"stream": True}])
def test_what_would_break_the_limit_is_refused_and_not_billed(seconds, options):
    with OpenAIServer([reply(80), reply(30)], tokens_per_minute=100, clock=seconds) as server:
        status, headers, _ = post(server, chat("a", **options))
        assert (status, *window_of(headers)) == (200, "100", "20", "1m0s")
        seconds.now += 1.5
        status, headers, body = post(server, chat("a", **options))
        assert (status, *window_of(headers)) == (429, "100", "20", "58.5s")
        assert (headers["retry-after"], headers["retry-after-ms"]) == ("59", "58500")
        assert "x-ratelimit-limit-requests" not in headers
        message = body["error"].pop("message")
        assert message.startswith("Rate limit reached for m on tokens per min (TPM): ")
        assert message.endswith("Limit 100, Used 80, Requested 30. Please try again in 58.5s.")
        assert body == {"error": {"type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
        assert (server.calls, server.refused, len(server.billed), server.errors) == (2, 1, 1, [])


def test_a_limit_may_be_used_up_to_the_last_token(seconds):
    with OpenAIServer([reply(60), reply(40), reply(1)], tokens_per_minute=100, clock=seconds) as server:
        headers = [post(server, chat("a"))[1] for _ in range(3)]
        assert [each[REMAINING] for each in headers] == ["40", "0", "0"]
        assert server.refused == 1


def test_the_window_slides_charge_by_charge(seconds):
    script = [reply(50), reply(40), reply(20), reply(40), reply(1)]
    with OpenAIServer(script, tokens_per_minute=100, window=10, clock=seconds) as server:
        assert post(server, chat("a"))[0] == 200
        seconds.now += 4
        assert post(server, chat("a"))[0] == 200
        _, headers, _ = post(server, chat("a"))
        assert (headers["retry-after-ms"], headers[RESET]) == ("6000", "10s")
        seconds.now += 5.999
        assert post(server, chat("a"))[1]["retry-after-ms"] == "1"
        seconds.now += 0.001
        status, headers, _ = post(server, chat("a"))
        assert (status, *window_of(headers)) == (200, "100", "40", "10s")
        assert window_of(post(server, chat("a"))[1]) == ("100", "0", "10s")
        assert post(server, chat("a"))[1]["retry-after-ms"] == "4000"
        seconds.now += 100
        assert window_of(post(server, {"messages": []})[1]) == ("100", "99", "10s")


def test_every_answer_carries_the_headers(seconds):
    script = [reply(10), Reply(status=500, text="broken"), Reply(usage=None)]
    with OpenAIServer(script, tokens_per_minute=100, clock=seconds) as server:
        answers = [post(server, chat("a")) for _ in range(4)]
        answers += [post(server, {}, "/v1/other"), post(server, b"{"), post(server, b"[]")]
        assert [status for status, _, _ in answers] == [200, 500, 200, 400, 404, 400, 400]
        assert {window_of(headers) for _, headers, _ in answers} == {("100", "90", "1m0s")}
        assert server.refused == 0


def test_headers_of_a_reply_replace_those_of_the_limit(seconds):
    own = {"X-RateLimit-Remaining-Tokens": "7"}
    with OpenAIServer([reply(10, headers=own)], tokens_per_minute=100, clock=seconds) as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(chat("a")))
            response = connection.getresponse()
            assert response.headers.get_all(REMAINING) == ["7"]
            assert response.headers[LIMIT] == "100"
            response.read()


def test_a_scripted_429_is_a_reply_and_no_refusal(seconds):
    script = [Reply(status=429, text="slow down"), reply(10, "after")]
    with OpenAIServer(script, tokens_per_minute=100, clock=seconds) as server:
        assert post(server, chat("a"))[2]["error"]["message"] == "slow down"
        assert said(post(server, chat("a"))) == "after"
        assert server.refused == 0


def test_a_refusal_takes_nothing_from_a_list(seconds):
    script = [reply(60, "one"), reply(60, "two"), reply(30, "three")]
    with OpenAIServer(script, tokens_per_minute=100, clock=seconds) as server:
        assert [said(post(server, chat(text))) for text in "abc"] == ["one", 429, 429]
        seconds.now += 60
        assert [said(post(server, chat(text))) for text in "de"] == ["two", "three"]
        assert (server.calls, server.refused, len(server.billed)) == (5, 2, 3)


def test_a_request_that_comes_again_gets_the_reply_a_callable_gave_it(seconds):
    replies = iter([reply(60, "one"), reply(60, "two"), reply(60, "three")])
    with OpenAIServer(lambda request: next(replies), tokens_per_minute=100, clock=seconds) as server:
        assert [said(post(server, chat(text))) for text in "abb"] == ["one", 429, 429]
        seconds.now += 60
        assert said(post(server, chat("b"))) == "two"
        seconds.now += 60
        assert said(post(server, chat("b"))) == "three"
        assert server.errors == []


def test_what_is_above_the_whole_limit_is_too_large_and_names_no_wait(seconds):
    with OpenAIServer([reply(101)], tokens_per_minute=100, clock=seconds) as server:
        status, headers, body = post(server, chat("a"))
        assert (status, *window_of(headers)) == (429, "100", "100", "0s")
        assert body["error"]["message"].startswith("Request too large for m on tokens per min (TPM): ")
        assert body["error"]["code"] == "rate_limit_exceeded"
        assert not {"retry-after", "retry-after-ms"} & set(headers)


def test_a_waiter_wakes_at_a_refusal(seconds):
    with OpenAIServer([reply(2)], tokens_per_minute=1, clock=seconds) as server, ThreadPoolExecutor() as pool:
        waiter = pool.submit(server.wait_for, lambda: server.refused == 1)
        post(server, chat("a"))
        assert waiter.result(10)


@pytest.mark.parametrize("options", [{"tokens_per_minute": 0}, {"window": 0}, {"window": math.inf}])
def test_a_limit_or_a_window_out_of_range_is_an_error(options):
    with pytest.raises(ValueError, match="rate limit"):
        OpenAIServer([], **({"tokens_per_minute": 1} | options))


@pytest.mark.parametrize("stream", [False, True])
def test_the_real_client_sees_the_limit(seconds, stream):
    openai = pytest.importorskip("openai")
    with OpenAIServer([reply(80), reply(30, "after")], tokens_per_minute=100, clock=seconds) as server:
        with openai.OpenAI(api_key="none", base_url=server.base_url, max_retries=0, timeout=10) as client:
            create = client.chat.completions.with_raw_response.create
            first = create(model="m", messages=MESSAGES)
            assert window_of(first.headers) == ("100", "20", "1m0s")
            with pytest.raises(openai.RateLimitError) as refused:
                create(model="m", messages=MESSAGES, stream=stream)
            assert (refused.value.status_code, refused.value.code) == (429, "rate_limit_exceeded")
            assert (refused.value.type, refused.value.param) == ("tokens", None)
            assert refused.value.response.headers["retry-after"] == "60"
            seconds.now += 60
            after = create(model="m", messages=MESSAGES, stream=stream)
            assert after.headers[REMAINING] == "70"
            parsed = after.parse()
            text = (
                "".join(chunk.choices[0].delta.content or "" for chunk in parsed)
                if stream
                else parsed.choices[0].message.content
            )
            assert text == "after"
        assert (server.refused, [usage["total_tokens"] for usage in server.billed]) == (1, [80, 30])


async def test_the_real_async_client_sees_the_limit(seconds):
    openai = pytest.importorskip("openai")
    with OpenAIServer([reply(80), reply(30, "after")], tokens_per_minute=100, clock=seconds) as server:
        options = {"base_url": server.base_url, "max_retries": 0, "timeout": 10}
        async with openai.AsyncOpenAI(api_key="none", **options) as client:
            await client.chat.completions.create(model="m", messages=MESSAGES)
            with pytest.raises(openai.RateLimitError) as refused:
                await client.chat.completions.create(model="m", messages=MESSAGES)
            assert refused.value.response.headers["retry-after-ms"] == "60000"
            seconds.now += 60
            after = await client.chat.completions.create(model="m", messages=MESSAGES)
            assert after.choices[0].message.content == "after"
        assert (server.refused, len(server.billed)) == (1, 2)


@pytest.mark.usefixtures("restless_threads")
def test_threads_never_get_more_than_the_limit():
    """Each round, all threads have their reply before any is decided: the decisions collide."""
    limit, rounds, clock = 4_000, 4, Turnstile()
    together = threading.Barrier(THREADS, timeout=10)

    def script(request):
        together.wait()
        return reply(int(request["messages"][0]["content"]))

    def ask(thread):
        for turn in range(rounds):
            tokens = 10 + 7 * thread + turn
            status, _, body = post(server, chat(str(tokens), str(thread), stream=thread % 2 == 0))
            assert status == 429 or thread % 2 or events(body)
            yield tokens, status

    with OpenAIServer(script, tokens_per_minute=limit, clock=clock) as server:
        with ThreadPoolExecutor(THREADS) as pool:
            outcomes = [each for some in pool.map(lambda t: list(ask(t)), range(THREADS)) for each in some]
        assert clock.most == 1
        accepted = [tokens for tokens, status in outcomes if status == 200]
        refused = [tokens for tokens, status in outcomes if status == 429]
        assert sum(accepted) == sum(usage["total_tokens"] for usage in server.billed) <= limit
        assert len(refused) == server.refused > 0
        assert min(refused) > limit - sum(accepted)
        assert (len(accepted) + len(refused), server.errors) == (THREADS * rounds, [])


def test_threads_take_the_list_in_order_whatever_is_refused(seconds):
    script = [reply(10, str(number)) for number in range(THREADS)]
    with OpenAIServer(script, tokens_per_minute=100, clock=seconds) as server:
        with ThreadPoolExecutor(THREADS) as pool:
            for first in (0, 10):
                answers = list(pool.map(lambda _: said(post(server, chat("a"))), range(THREADS)))
                texts = sorted(int(text) for text in answers if text != 429)
                assert texts == list(range(first, first + 10))
                seconds.now += 60
        assert (server.refused, len(server.billed)) == (2 * (THREADS - 10), 20)


@given(st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 12)), max_size=60))
def test_the_limit_decides_as_a_naive_book_does(steps):
    limit, window_ms, now_ms = 10, 2_000, 0
    book: list[tuple[int, int]] = []
    real = RateLimit(limit, window_ms / 1000, lambda: now_ms / 1000)

    def used_at(moment: int) -> int:
        return sum(tokens for at, tokens in book if moment < at + window_ms)

    for pause_ms, tokens in steps:
        now_ms += pause_ms
        verdict = real.charge(tokens, "m")
        assert (verdict.error is None) == (used_at(now_ms) + tokens <= limit)
        if verdict.error is None:
            book.append((now_ms, tokens))
        elif tokens <= limit:
            moment = now_ms + int(verdict.headers["retry-after-ms"])
            assert used_at(moment) + tokens <= limit < used_at(moment - 1) + tokens
        assert verdict.headers == real.headers() | verdict.headers
        assert int(verdict.headers[REMAINING]) == limit - used_at(now_ms)
