"""The bookings of calls of several requests: retries, layers in layers, a user's own budget."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import anthropic
import httpx2
import openai
import pytest
from langchain_openai import ChatOpenAI

import outlay
from outlay import Guard, ManualClock, SharedPool, UsageEstimate
from outlay._calls.attempts import Attempts
from outlay._calls.call import Call
from outlay._calls.listing import normalise
from outlay._core import Usage
from outlay.testing import ProviderServer, Reply

HI = [{"role": "user", "content": "hi"}]
CHAT = {"model": "gpt-x", "max_tokens": 1_000, "messages": HI}
# ceil(2 bytes / 3) + 4 for the message, and max_tokens.
ESTIMATE = 1 + 4 + 1_000
PAID = {"prompt_tokens": 30, "completion_tokens": 5}


def guard_of(defaults=None, **limit):
    """Return a guard with one budget."""
    policy = {"defaults": defaults or {}, "budget": [{"name": "day", "limit": limit}]}
    return Guard(policy, clock=ManualClock())


def used(guard, unit):
    """Return what the first counter has used, with nothing reserved."""
    figures = guard.snapshot()[0]["limits"][unit]
    assert figures["reserved"] == 0
    return figures["used"]


async def openai_asks(server, guard):
    from outlay.openai import wrap

    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="x", max_retries=5) as client:
        await wrap(client, guard).chat.completions.create(**CHAT)


async def anthropic_asks(server, guard):
    from outlay.anthropic import wrap

    async with anthropic.AsyncAnthropic(base_url=server.anthropic_url, api_key="x", max_retries=5) as client:
        await wrap(client, guard).messages.create(**CHAT)


@pytest.mark.parametrize("status", [429, 500, 529])
@pytest.mark.parametrize("ask", [openai_asks, anthropic_asks])
def test_l02_the_retries_of_async_clients_are_counted_and_stopped_too(ask, status):
    """Of a client that would try six times, three requests reach the server."""
    guard = Guard({"limiter": [{"name": "rpm", "requests_per_minute": 3}]}, clock=ManualClock())
    busy = Reply(status=status, headers={"retry-after-ms": "1"})
    with ProviderServer([busy] * 60) as server:
        with pytest.raises(outlay.RateLimitExceeded):
            asyncio.run(ask(server, guard))
        assert server.calls == 3
    assert used(guard, "calls") == 3


@pytest.mark.parametrize("ask", [openai_asks, anthropic_asks])
def test_the_last_retry_of_an_async_client_is_billed_and_no_other(ask):
    """Two requests fail and cost no tokens; the third is booked as the server bills it."""
    guard = guard_of(tokens=100_000, calls=100)
    busy = Reply(status=500, headers={"retry-after-ms": "1"})
    with ProviderServer([busy, busy, Reply(text="Paris.")]) as server:
        asyncio.run(ask(server, guard))
        billed = sum(usage["total_tokens"] for usage in server.billed)
    assert billed > 0
    assert (used(guard, "tokens"), used(guard, "calls")) == (billed, 3)


@pytest.mark.parametrize(("status", "tokens"), [(429, 0), (500, ESTIMATE)])
@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_no_budget_charges_what_the_provider_does_not_bill(kind, status, tokens):
    """A 429 costs no tokens whatever `on_error` says; the request counts."""
    from outlay.openai import wrap

    guard = guard_of({"on_error": "charge"}, tokens=100_000, calls=100)

    async def ask(server):
        client = wrap(kind(base_url=server.base_url, api_key="x", max_retries=0), guard)
        answer = client.chat.completions.create(**CHAT)
        await answer

    with ProviderServer([Reply(status=status)]) as server, pytest.raises(openai.APIStatusError):
        asyncio.run(ask(server))
    assert (used(guard, "tokens"), used(guard, "calls")) == (tokens, 1)


@pytest.mark.parametrize(("on_cancel", "tokens"), [("charge", ESTIMATE), ("release", 0)])
def test_a_request_that_is_cancelled_on_a_transport_ends_as_the_policy_says(on_cancel, tokens):
    """It does not end as a lease that was lost, for which the policy may say something else."""
    from outlay.httpx2 import async_transport

    other = {"charge": "release", "release": "charge"}[on_cancel]
    guard = guard_of({"on_cancel": on_cancel, "on_missing_usage": other}, tokens=100_000, calls=100)

    async def ask(server):
        async with httpx2.AsyncClient(transport=async_transport(guard)) as client:
            task = asyncio.ensure_future(client.post(f"{server.base_url}/chat/completions", json=CHAT))
            assert await asyncio.to_thread(server.wait_for, lambda: server.calls == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with ProviderServer([Reply(text="Paris.", gate=threading.Event())]) as server:
        asyncio.run(ask(server))
    assert (used(guard, "tokens"), used(guard, "calls")) == (tokens, 1)


def test_a_model_pays_for_all_requests_that_only_the_transport_saw_through_a_client_between_them():
    """Two of the client's requests timed out: both estimates are added to what the third used."""
    from outlay.httpx2 import transport
    from outlay.langchain import wrap
    from outlay.openai import wrap as wrap_client

    pool, gate = SharedPool(capacity_tokens=100_000), threading.Event()
    late = Reply(text="late", gate=gate)
    with ProviderServer([late, late, Reply(text="a", usage=PAID)]) as server:
        http = httpx2.Client(transport=transport(pool), timeout=0.3)
        options = {"base_url": server.base_url, "api_key": "k", "timeout": 0.3}
        model = ChatOpenAI(model="m", max_tokens=1_000, max_retries=2, http_client=http, **options)
        client = wrap_client(openai.OpenAI(max_retries=2, http_client=http, **options), pool)
        model.client = client.chat.completions
        assert wrap(model, pool).invoke("hi").text == "a"
        gate.set()
    assert pool.committed().total_tokens == 2 * ESTIMATE + 35


@pytest.mark.parametrize(
    ("replies", "estimates"),
    [(["500", "late"], 1), (["late", "500"], 1), (["late", "late"], 2), (["500"] * 2, 0)],
)
def test_of_the_requests_that_a_transport_saw_those_that_were_answered_cost_nothing(replies, estimates):
    """In whatever order they came: the last does not speak for the others. All of them count."""
    from outlay.httpx2 import transport
    from outlay.langchain import wrap

    guard, gate = guard_of(tokens=100_000, calls=100), threading.Event()
    known = {"500": Reply(status=500, headers={"retry-after-ms": "1"}), "late": Reply(text="a", gate=gate)}
    with ProviderServer([known[one] for one in replies]) as server:
        client = httpx2.Client(transport=transport(guard), timeout=0.3)
        options = {"base_url": server.base_url, "api_key": "k", "max_tokens": 1_000, "max_retries": 1}
        model = wrap(ChatOpenAI(model="m", **options, http_client=client, timeout=0.3), guard)
        with pytest.raises(openai.APIError):
            model.invoke("hi")
        gate.set()
    assert (used(guard, "tokens"), used(guard, "calls")) == (estimates * ESTIMATE, 2)


class OwnLease:
    """A lease of a user's own budget, which notes how it ended; it may fail to end."""

    def __init__(self, broken):
        self.broken = broken
        self.ended = []

    def commit(self, usage):
        """Note the usage."""
        self.ended.append(usage)
        if self.broken:
            raise RuntimeError("the budget's server is away")

    def release(self):
        """Note that nothing was used."""
        self.commit("released")

    def close(self):
        """Note that the call failed."""
        self.commit("closed")


class Own:
    """A user's own budget."""

    def __init__(self, *, broken=False):
        self.lease = OwnLease(broken)

    def reserve(self, estimate, **labels):
        """Give the lease out."""
        return self.lease


TERMS = {"operation": "query", "labels": {}}


def test_a_users_own_budget_is_charged_for_each_request_that_was_never_answered():
    """As the budgets of outlay are."""
    own, pool = Own(), SharedPool(capacity_tokens=1_000)
    call = Call()
    call.reserve(normalise([pool, own]), UsageEstimate(total_tokens=100), **TERMS)
    call.cancel(3)
    assert [one.total_tokens for one in own.lease.ended] == [300]
    assert pool.committed().total_tokens == 300


@pytest.mark.parametrize(
    ("end", "tokens", "told"),
    [
        (lambda call: call.commit(Usage(total_tokens=7)), 7, True),
        (lambda call: call.cancel(), 100, True),
        (lambda call: call.close(), 0, True),
        (lambda call: call.release(), 0, False),
    ],
    ids=["commit", "cancel", "close", "release"],
)
def test_a_budget_that_fails_to_end_leaves_no_other_lease_open(end, tokens, told):
    """What it raises is told after all leases have ended; a release tells nothing."""
    broken, own, pool = Own(broken=True), Own(), SharedPool(capacity_tokens=1_000)
    call = Call()
    call.reserve(normalise([broken, own, pool]), UsageEstimate(total_tokens=100), **TERMS)
    with pytest.raises(RuntimeError, match="away") if told else contextlib.nullcontext():
        end(call)
    assert len(broken.lease.ended) == len(own.lease.ended) == 1
    assert (pool.reserved().total_tokens, pool.committed().total_tokens) == (0, tokens)


def test_all_attempts_that_were_never_answered_are_told():
    """Their sum, whatever came between them."""
    attempts = Attempts()
    assert (attempts.requests(), attempts.unanswered()) == (0, None)
    for requests, tokens in ((1, 10), (1, None), (2, 5), (1, None)):
        attempts.note(requests, int(tokens is not None), Usage(total_tokens=tokens) if tokens else None)
    assert (attempts.requests(), attempts.lost()) == (5, 2)
    assert attempts.unanswered() == Usage(total_tokens=15)


def test_what_was_never_answered_is_told_through_every_call_around():
    """A call between that ends well hides nothing of what it saw itself."""
    pool, outer = SharedPool(), Call()
    outer.attempts = Attempts()
    with outer.entered():
        between = Call()
        between.attempts = Attempts()
        with between.entered():
            for end in (Call.cancel, Call.cancel, lambda call: call.commit(Usage(total_tokens=7))):
                inner = Call()
                inner.reserve(normalise(pool), UsageEstimate(total_tokens=100), **TERMS)
                end(inner)
        between.commit()
    assert (outer.attempts.requests(), outer.attempts.unanswered()) == (3, Usage(total_tokens=200))
