"""The bookings of calls in which several things go wrong, or objects misbehave."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI

from outlay import Guard, LimitExceeded, ManualClock, SharedPool, governed
from outlay.httpx import transport
from outlay.langchain import wrap
from outlay.testing import ProviderServer, Reply, ScriptedChatModel

# ceil(2 bytes / 3) + 4 for the message, and max_tokens.
ESTIMATE = 1 + 4 + 1_000


def guard_of(**limit):
    """Return a guard with one budget."""
    return Guard({"budget": [{"name": "day", "limit": limit}]}, clock=ManualClock())


def booked(guard):
    """Return what the first counter has used, with nothing reserved."""
    limits = guard.snapshot()[0]["limits"]
    assert not any(figures["reserved"] for figures in limits.values())
    return {unit: figures["used"] for unit, figures in limits.items()}


def model_over(server, inside, guard):
    """Return a guarded model over a client whose transport has budgets too."""
    http = httpx.Client(transport=transport(inside), timeout=0.3)
    model = ChatOpenAI(
        model="gpt-x", base_url=server.base_url, api_key="k", max_tokens=1_000, timeout=0.3, http_client=http
    )
    return wrap(model, guard)


# Several requests of one call.


def test_a_refusal_after_a_request_that_timed_out_does_not_make_it_free():
    """The transport's own limit refuses the SDK's retry: the request before it is under way all the same."""
    guard, rate, gate = guard_of(tokens=100_000, calls=100), guard_of(calls=1), threading.Event()
    with ProviderServer([Reply(text="a", gate=gate)]) as server:
        with pytest.raises(LimitExceeded):
            model_over(server, [guard, rate], guard).invoke("hi")
        assert server.calls == 1
    assert booked(guard) == {"tokens": ESTIMATE, "calls": 1}
    assert booked(rate) == {"calls": 1}


def test_a_refusal_after_a_request_that_failed_leaves_the_request_counted():
    """The retry is refused; what was answered with an error costs no tokens, and has counted."""
    guard, rate = guard_of(tokens=100_000, calls=100), guard_of(calls=1)
    with ProviderServer([Reply(text="overloaded", status=500)]) as server:
        with pytest.raises(LimitExceeded):
            model_over(server, [guard, rate], guard).invoke("hi")
        assert server.calls == 1
    assert booked(guard) == {"tokens": 0, "calls": 1}


def test_of_several_requests_only_those_are_charged_that_were_not_answered():
    """Two errors and a time-out: three requests, one estimate."""
    guard, gate = guard_of(tokens=100_000, calls=100), threading.Event()
    script = [*[Reply(text="overloaded", status=500)] * 2, Reply(text="a", gate=gate)]
    with ProviderServer(script) as server:
        with pytest.raises(Exception, match="timed out"):
            model_over(server, [guard], guard).invoke("hi")
        assert server.calls == 3
    assert booked(guard) == {"tokens": ESTIMATE, "calls": 3}


# A call in the handler of another's error.


class Broken(ScriptedChatModel):
    """A model whose answer comes, and cannot be used."""

    def _generate(self, *_arguments, **_keywords):
        raise ValueError("the answer has no text")


@pytest.mark.parametrize("first", [httpx.ConnectError("x"), LimitExceeded, openai.APIConnectionError])
def test_a_fallback_is_not_free_because_the_call_before_it_was_never_sent(first):
    """What is being handled where a call begins is the context of what it raises, and not about it."""
    guard = guard_of(tokens=100_000, calls=100)
    fallback = wrap(Broken(script=[], model_name="m"), guard, output_tokens=500)
    with pytest.raises(ValueError, match="no text"):
        try:
            if first is LimitExceeded:
                SharedPool(capacity_tokens=1).reserve(2)
            if first is openai.APIConnectionError:
                first = openai.APIConnectionError(request=httpx.Request("POST", "http://127.0.0.1/"))
            raise first
        except (httpx.ConnectError, LimitExceeded, openai.APIConnectionError):
            fallback.invoke("hi")
    assert booked(guard) == {"tokens": 1 + 4 + 500, "calls": 1}


def test_a_fallback_that_fails_is_not_charged_for_the_time_out_before_it():
    """A governed function that raises gives its tokens back, wherever it is called."""
    guard = guard_of(tokens=100_000, calls=100)

    @governed(guard, estimate=500)
    def fallback():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        try:
            raise TimeoutError
        except TimeoutError:
            fallback()
    assert booked(guard) == {"tokens": 0, "calls": 1}


# Functions that pay for the calls inside them.


def test_a_result_that_is_the_last_of_many_answers_does_not_make_the_others_free():
    """What the wrapped models inside have used is booked, where it is more than the result says."""
    guard = guard_of(tokens=100_000, calls=100)
    used = {"prompt_tokens": 10, "completion_tokens": 7}
    with ProviderServer([Reply(text="hello", usage=used)] * 10) as server:
        model = model_over(server, [guard], guard)

        @governed(guard, estimate=2_000)
        def agent():
            return [model.invoke("hi") for _ in range(5)][-1]

        @governed(guard, estimate=2_000)
        def stream():
            model.invoke("hi")
            yield model.invoke("hi")

        agent()
        assert booked(guard) == {"tokens": 5 * 17, "calls": 1}
        assert len(list(stream())) == 1
        assert booked(guard) == {"tokens": 7 * 17, "calls": 2}
        assert sum(one["total_tokens"] for one in server.billed) == 7 * 17


def test_a_result_does_not_hide_an_attempt_that_was_never_answered():
    """The SDK's second request is answered, and its usage is all that the result tells."""
    guard, gate = guard_of(tokens=100_000, calls=100), threading.Event()
    used = {"prompt_tokens": 10, "completion_tokens": 7}
    with ProviderServer([Reply(text="a", gate=gate), Reply(text="hello", usage=used)]) as server:
        model = model_over(server, [guard], guard)
        governed(guard, estimate=2_000)(lambda: model.invoke("hi"))()
        assert server.calls == 2
    assert booked(guard) == {"tokens": ESTIMATE + 17, "calls": 1}


def test_a_function_without_an_estimate_is_one_call_beside_the_requests_inside_it():
    """The clients inside have counted each of the SDK's requests: the function does not count them again."""
    guard = guard_of(tokens=100_000, calls=100)
    with ProviderServer([Reply(text="overloaded", status=500)] * 3) as server:
        http = httpx.Client(transport=transport(guard))
        client = openai.OpenAI(base_url=server.base_url, api_key="k", http_client=http)

        @governed(guard)
        def ask():
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])

        with pytest.raises(openai.InternalServerError):
            ask()
        assert server.calls == 3
    assert booked(guard) == {"tokens": 0, "calls": 3 + 1}


# Hosts that raise errors of their own.


def pydantic_ai_asks(client, guard):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from outlay.pydantic_ai import wrap

    model = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client))
    return Agent(wrap(model, guard)).run("hi")


def agents_sdk_asks(client, guard):
    import agents

    from outlay.openai_agents import wrap

    agents.set_tracing_disabled(True)
    model = wrap(agents.OpenAIChatCompletionsModel("m", client), guard)
    return agents.Runner.run(agents.Agent(name="a", model=model), "hi")


@pytest.mark.parametrize("ask", [pydantic_ai_asks, agents_sdk_asks])
def test_the_requests_of_a_call_that_fails_all_count_whatever_error_the_host_raises(ask):
    """The SDK's error, which caused the host's own, says how often the request was sent."""
    guard = guard_of(tokens=100_000, calls=100)

    async def main(server):
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
            await ask(client, guard)

    down = Reply(text="overloaded", status=500, headers={"retry-after-ms": "1"})
    with ProviderServer([down] * 3) as server:
        with pytest.raises(Exception, match="500"):
            asyncio.run(main(server))
        assert server.calls == 3
    assert booked(guard) == {"tokens": 0, "calls": 3}


def test_a_function_that_makes_thousands_of_calls_does_not_grow_with_them():
    """An agent runs for days in one call."""
    guard = guard_of(calls=100_000)
    ask = governed(guard, estimate=1)(lambda: None)

    @governed(guard)
    def agent():
        # What the collector has not come to yet is the same before and after.
        for _ in range(5_000):
            ask()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5_000):
            ask()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        grown = agent()
    finally:
        tracemalloc.stop()
    assert grown < 10 * 5_000
