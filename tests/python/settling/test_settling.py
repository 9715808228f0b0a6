"""The bookings of ended calls: those that failed, timed out or could not be used."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import anthropic
import httpx
import httpx2
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

import outlay
from outlay import Guard, LimitExceeded, ManualClock, SharedPool, WorkflowQuota, governed
from outlay.testing import ProviderServer, Reply

HI = [{"role": "user", "content": "hi"}]
# ceil(2 bytes / 3) + 4 for the message, and max_tokens.
ESTIMATE = 1 + 4 + 1_000


class Word(BaseModel):
    """What an answer is to be parsed as."""

    word: str


def guard_of(**limit):
    """Return a guard with one budget."""
    return Guard({"budget": [{"name": "day", "limit": limit}]}, clock=ManualClock())


def used(guard, unit):
    """Return what the first counter has used, with nothing reserved."""
    figures = guard.snapshot()[0]["limits"][unit]
    assert figures["reserved"] == 0
    return figures["used"]


# Time-outs.


def openai_asks(server, guard):
    from outlay.openai import wrap

    client = wrap(openai.OpenAI(base_url=server.base_url, api_key="x", timeout=0.3), guard)
    client.chat.completions.create(model="gpt-x", max_tokens=1_000, messages=HI)


def anthropic_asks(server, guard):
    from outlay.anthropic import wrap

    client = wrap(anthropic.Anthropic(base_url=server.anthropic_url, api_key="x", timeout=0.3), guard)
    client.messages.create(model="claude", max_tokens=1_000, messages=HI)


def langchain_asks(server, guard):
    from outlay.langchain import wrap

    model = ChatOpenAI(model="gpt-x", base_url=server.base_url, api_key="x", timeout=0.3, max_tokens=1_000)
    wrap(model, guard).invoke("hi")


@pytest.mark.parametrize("ask", [openai_asks, anthropic_asks, langchain_asks])
def test_l01_each_request_that_timed_out_is_charged_at_its_estimate(ask):
    """Three requests of the SDK's own are worked on: three estimates are booked."""
    guard, gate = guard_of(tokens=100_000, calls=100), threading.Event()
    with ProviderServer([Reply(text="Paris.", gate=gate)] * 3) as server:
        with pytest.raises(Exception, match="timed out"):
            ask(server, guard)
        assert server.wait_for(lambda: server.calls == 3)
    assert (used(guard, "tokens"), used(guard, "calls")) == (3 * ESTIMATE, 3)


def test_l01_a_call_that_wait_for_gives_up_is_charged_once():
    """It is cancelled, and no time-out of the transport: one request is under way."""
    from outlay.openai import wrap

    guard = guard_of(tokens=100_000, calls=100)

    async def ask(server):
        client = wrap(openai.AsyncOpenAI(base_url=server.base_url, api_key="x"), guard)
        request = client.chat.completions.create(model="gpt-x", max_tokens=1_000, messages=HI)
        task = asyncio.ensure_future(request)
        assert await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0)
        await client.close()

    with ProviderServer([Reply(text="Paris.", gate=threading.Event())]) as server:
        asyncio.run(ask(server))
    assert (used(guard, "tokens"), used(guard, "calls")) == (ESTIMATE, 1)


def test_a_request_that_was_never_sent_costs_nothing():
    """Nobody listens there: not even the request counts."""
    from outlay.openai import wrap

    guard = guard_of(tokens=100_000, calls=100)
    with ProviderServer([]) as server:
        address = server.base_url
    client = wrap(openai.OpenAI(base_url=address, api_key="x", max_retries=0), guard)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="gpt-x", max_tokens=1_000, messages=HI)
    with pytest.raises(TypeError):
        client.chat.completions.create(model="gpt-x", messages=object())
    assert (used(guard, "tokens"), used(guard, "calls")) == (0, 0)


# Failed requests.


def test_l02_a_rate_stops_a_storm_of_errors():
    """A request counts once it is sent; its tokens come back."""
    from outlay.openai import wrap

    policy = {
        "limiter": [{"name": "rpm", "requests_per_minute": 3}],
        "budget": [{"name": "b", "limit": {"calls": 5, "tokens": 100_000}}],
    }
    guard = Guard(policy, clock=ManualClock())
    with ProviderServer([Reply(text="overloaded", status=500)] * 60) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0), guard)
        for _ in range(50):
            try:
                client.chat.completions.create(model="gpt-x", max_tokens=5, messages=HI)
            except LimitExceeded:
                break
            except openai.APIError:
                pass
        assert server.calls == 3
    booked = {
        one["name"]: {unit: of["used"] for unit, of in one["limits"].items()} for one in guard.snapshot()
    }
    assert booked == {"b": {"calls": 3, "tokens": 0}, "rpm": {"calls": 3}}


@pytest.mark.parametrize("status", [429, 500, 529])
def test_l02_the_requests_of_the_clients_own_retries_are_counted_and_stopped(status):
    """Of a client that would try six times, three requests reach the server."""
    from outlay.openai import wrap

    guard = Guard({"limiter": [{"name": "rpm", "requests_per_minute": 3}]}, clock=ManualClock())
    busy = Reply(status=status, headers={"retry-after-ms": "1"})
    with ProviderServer([busy] * 60) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=5), guard)
        with pytest.raises(outlay.RateLimitExceeded):
            client.chat.completions.create(model="gpt-x", max_tokens=5, messages=HI)
        assert server.calls == 3


def test_l02_a_block_that_raises_has_made_its_request():
    """Without a wrap too; `release` says that nothing was sent."""
    guard, made = guard_of(calls=3), 0
    for _ in range(100):
        try:
            with guard.reserve(10):
                made += 1
                raise OSError("down")
        except OSError:
            pass
        except LimitExceeded:
            break
    assert made == 3
    with pytest.raises(LimitExceeded):
        guard.reserve()


def test_l03_a_tool_that_fails_is_counted_from_its_start():
    """In blocks and in governed functions together."""
    guard, ran = Guard({"tool": [{"name": "web", "limit": {"calls": 3}}]}), [0, 0]

    @governed(guard, estimate=0, tool="web")
    def web():
        ran[1] += 1
        raise OSError("down")

    for _ in range(50):
        try:
            with guard.reserve(tool="web"):
                ran[0] += 1
                raise OSError("down")
        except (OSError, LimitExceeded):
            pass
        with contextlib.suppress(OSError, LimitExceeded):
            web()
    assert sum(ran) == 3


# Blocks.


@pytest.mark.parametrize(
    ("error", "tokens"),
    [
        (ValueError("no"), 0),
        (TimeoutError("late"), 40),
        (ConnectionResetError("cut"), 40),
        (BrokenPipeError("cut"), 40),
        (ConnectionRefusedError("nobody"), 0),
        (httpx.ReadTimeout("late"), 40),
        (httpx2.RemoteProtocolError("cut"), 40),
        (httpx.ConnectTimeout("late"), 0),
        (KeyboardInterrupt(), 40),
        (asyncio.CancelledError(), 40),
        (GeneratorExit(), 40),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_a_block_that_raises_books(error, tokens):
    """An answer that never came is charged at its estimate, another error is not; the request counts."""
    guard = guard_of(tokens=100, calls=10)
    with pytest.raises(type(error)), guard.reserve(40):
        raise error
    assert (used(guard, "tokens"), used(guard, "calls")) == (tokens, 1)


def test_a_refusal_inside_a_block_is_no_time_out():
    """`WaitTimeout` is a `TimeoutError`, and no request was under way."""
    guard, pool = guard_of(tokens=100, calls=10), SharedPool(capacity_tokens=10)
    pool.reserve(10).commit()
    with pytest.raises(outlay.LimitExceeded), guard.reserve(40):
        pool.reserve(10)
    held = SharedPool(capacity_tokens=10)
    lease = held.reserve(10)
    with pytest.raises(outlay.WaitTimeout), guard.reserve(40):
        held.reserve_blocking(5, timeout=0)
    lease.release()
    assert (used(guard, "tokens"), used(guard, "calls")) == (0, 2)


def test_a_block_books_what_the_error_says_was_used():
    """An answer that came is charged whatever happens to it."""
    pool = SharedPool(capacity_tokens=1_000)
    completion = openai.types.chat.ChatCompletion.model_validate(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
    )
    with pytest.raises(openai.LengthFinishReasonError), pool.reserve(400):
        raise openai.LengthFinishReasonError(completion=completion)
    assert pool.committed().total_tokens == 15


@pytest.mark.parametrize("way", ["block", "governed"])
def test_an_answer_that_a_bare_client_cannot_validate_is_charged(way):
    """Its error says that an answer came, and not what it used: the estimate is booked."""
    guard = guard_of(tokens=1_000, calls=10)
    provider = httpx2.MockTransport(lambda request: httpx2.Response(200, text="no JSON"))
    http = httpx2.Client(transport=provider)
    client = openai.OpenAI(api_key="x", http_client=http, _strict_response_validation=True)

    def ask():
        client.chat.completions.create(model="m", messages=HI)

    with pytest.raises(openai.APIResponseValidationError):
        if way == "governed":
            governed(guard, estimate=40)(ask)()
        else:
            with guard.reserve(40):
                ask()
    assert (used(guard, "tokens"), used(guard, "calls")) == (40, 1)


def test_close_and_an_error_end_a_lease_alike():
    """Tokens come back, the call was made; `release` gives both back."""
    guard = guard_of(tokens=100, calls=10)
    guard.reserve(40).close()
    assert (used(guard, "tokens"), used(guard, "calls")) == (0, 1)
    guard.reserve(40).release()
    assert (used(guard, "tokens"), used(guard, "calls")) == (0, 1)


def test_a_workflow_keeps_the_step_of_a_call_that_failed():
    """The step was taken."""
    token = WorkflowQuota.hourly(10, 2).begin_workflow("w")

    @governed(token)
    def fails():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fails()
    with pytest.raises(outlay.StepLimitExceeded):
        fails()


# Answers that cannot be used.


def test_a01_an_answer_that_is_billed_and_does_not_parse_is_charged():
    """Booked is what was billed, above what was reserved too, and the pool ends the retries."""
    from outlay.langchain import wrap

    pool, refused = SharedPool(capacity_tokens=1_000), 0
    usage = {"prompt_tokens": 5, "completion_tokens": 500}
    with ProviderServer([Reply(text='{"word":', usage=usage)] * 40) as server:
        options = {"base_url": server.base_url, "api_key": "k", "max_tokens": 490, "max_retries": 0}
        model = wrap(ChatOpenAI(model="gpt-x", **options), pool).with_structured_output(Word)
        for _ in range(40):
            try:
                model.invoke("Hi")
            except LimitExceeded:
                refused += 1
            except Exception:
                pass
        assert (server.calls, refused) == (1, 39)
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (5, 500)


def test_a01_what_the_error_carries_is_what_is_booked():
    """An answer that is cut short by its length: the host's error has the whole completion."""
    from outlay.langchain import wrap

    pool = SharedPool(capacity_tokens=10_000)
    usage = {"prompt_tokens": 10, "completion_tokens": 500}
    with ProviderServer([Reply(text='{"word":', usage=usage, cut_short=True)]) as server:
        model = ChatOpenAI(model="gpt-x", base_url=server.base_url, api_key="k", max_retries=0)
        with pytest.raises(openai.LengthFinishReasonError):
            wrap(model, pool).with_structured_output(Word).invoke("Hi")
    assert (pool.committed().input_tokens, pool.committed().output_tokens) == (10, 500)


def test_a12_an_error_in_the_body_of_a_200_costs_no_tokens():
    """On a transport and through the client, plain, raw and where a stream was asked for."""
    from outlay.httpx2 import transport
    from outlay.openai import wrap

    guard = guard_of(tokens=200_000, calls=100)
    broken = Reply(status=502, in_body=True, text="upstream failed")
    with ProviderServer([broken] * 9) as server:
        body = {"model": "m", "max_tokens": 32_000, "messages": HI}
        with httpx2.Client(transport=transport(guard)) as client:
            for _ in range(3):
                client.post(f"{server.base_url}/chat/completions", json=body)
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k", max_retries=0), guard)
        for _ in range(3):
            client.chat.completions.create(**body)
        client.chat.completions.with_raw_response.create(**body)
        list(client.chat.completions.create(**body, stream=True))
        assert server.calls == 8
    assert (used(guard, "tokens"), used(guard, "calls")) == (0, 8)


def test_a_governed_function_that_fails_pays_what_its_wrapped_clients_have_used():
    """It covers them, so that nobody else would."""
    from outlay.openai import wrap

    pool = SharedPool(capacity_tokens=10_000)
    with ProviderServer([Reply(text="a", usage={"prompt_tokens": 30, "completion_tokens": 5})]) as server:
        client = wrap(openai.OpenAI(base_url=server.base_url, api_key="k"), pool)

        @governed(pool, 1_000)
        def ask():
            client.chat.completions.create(model="m", messages=HI)
            raise ValueError("after the answer")

        with pytest.raises(ValueError, match="after"):
            ask()
    assert pool.committed().total_tokens == 35


def test_a_model_over_a_guarded_transport_pays_for_what_only_the_transport_saw():
    """The first request of the client timed out: its estimate is added to what the second used."""
    from outlay.httpx2 import transport
    from outlay.langchain import wrap

    pool, gate = SharedPool(capacity_tokens=100_000), threading.Event()
    late = Reply(text="late", gate=gate)
    answer = Reply(text="a", usage={"prompt_tokens": 30, "completion_tokens": 5})
    with ProviderServer([late, answer]) as server:
        client = httpx2.Client(transport=transport(pool), timeout=0.3)
        options = {"base_url": server.base_url, "api_key": "k", "max_tokens": 1_000, "max_retries": 1}
        model = ChatOpenAI(model="m", **options, http_client=client, timeout=0.3)
        assert wrap(model, pool).invoke("hi").text == "a"
        gate.set()
    assert pool.committed().total_tokens == ESTIMATE + 35
