"""RateLimiter.observe: what a provider says of its own limit is the truth, and never admitted above."""

from __future__ import annotations

import asyncio
import http
from datetime import UTC, datetime

import pytest
from face_support import checked_message, refusal_of
from headers_support import NS, anthropic, of, openai, opens_after, room, spin
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import ManualClock, RateLimiter, RateLimitExceeded

NEVER = float("inf")


def test_a_response_without_hints_changes_nothing(clock):
    """Whatever its status, but 429."""
    limiter = of(1000, clock)
    for status in (200, 400, 401, 404, 413, 422, 500, 502, 503, 504, 529):
        limiter.observe({}, status)
        limiter.observe({"content-type": "application/json", "retry-afters": "5"}, status)
    assert room(limiter) == 1000


RESETS = {
    "6s": 6,
    "1s": 1,
    "6m0s": 360,
    "20ms": 0.02,
    "1m26.4s": 86.4,
    "7.66s": 7.66,
    "59": 59,
    "0.5": 0.5,
    "1h2m": 3720,
}


@pytest.mark.parametrize("reset", RESETS)
def test_the_openai_family_end_to_end(reset, clock):
    """Tokens left until their reset, a duration as Go writes it or seconds; requests likewise."""
    limiter = of(1000, clock)
    limiter.observe(openai(remaining_tokens=0, reset_tokens=reset, remaining_requests=500))
    assert opens_after(limiter, clock, RESETS[reset])
    limiter.observe(openai(remaining_tokens=100, remaining_requests=0, reset_requests=reset))
    assert opens_after(limiter, clock, RESETS[reset])
    limiter.observe(openai(remaining_tokens=500, remaining_project_tokens=20, reset_project_tokens=reset))
    assert room(limiter) == 20


def test_the_anthropic_family_end_to_end(clock):
    """A reset is a point in time; input stands in for tokens, and output closes at 0."""
    clock.set_time(datetime(2024, 2, 29, 23, 59, 30, tzinfo=UTC))
    limiter = of(1000, clock)
    limiter.observe(
        anthropic(
            tokens_limit=900, tokens_remaining=70, tokens_reset="2024-03-01T00:00:00Z", requests_remaining=900
        )
    )
    assert (room(limiter), limiter.retry_after(71)) == (70, 30.0)
    limiter.observe(anthropic(tokens_remaining=0, tokens_reset="2024-03-01T01:00:10+01:00"))
    assert opens_after(limiter, clock, 40)
    assert room(limiter) == 900
    limiter.observe(anthropic(input_tokens_remaining=30, output_tokens_remaining=8))
    assert room(limiter) == 30
    limiter.observe(
        anthropic(
            input_tokens_remaining=30, output_tokens_remaining=0, output_tokens_reset="2024-03-01T00:00:12Z"
        )
    )
    assert opens_after(limiter, clock, 2)
    limiter.observe(anthropic(tokens_remaining=0, tokens_reset="1999-12-31T00:00:00Z"))
    # The input is kept by its own name, for a window.
    assert room(limiter) == 30
    clock.advance(60)
    assert room(limiter) == 900


def test_without_a_reset_all_is_back_after_a_window(clock):
    """It is not said, and by then it must be so."""
    limiter = of(1000, clock)
    limiter.observe(openai(remaining_tokens=0))
    assert opens_after(limiter, clock, 60)


WAITS = {
    "retry-after": {
        "7": 7,
        "0.25": 0.25,
        "Thu, 29 Feb 2024 23:59:37 GMT": 7,
        "Thu Feb 29 23:59:37 2024": 7,
        "3, 7": 7,
    },
    "retry-after-ms": {"1500": 1.5, "0.5": 0.0005, "60000": 60},
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WAITS for value in WAITS[name]])
def test_a_429_closes_until_its_retry_after(name, value, clock):
    """Seconds, a date, or milliseconds; not even a slot without tokens passes, and no reservation."""
    clock.set_time(datetime(2024, 2, 29, 23, 59, 30, tzinfo=UTC))
    limiter = of(1000, clock)
    limiter.observe({name: value}, 429)
    assert room(limiter) == -1
    refused = refusal_of(lambda: limiter.reserve(1))
    assert refused.retry_after == pytest.approx(WAITS[name][value])
    assert checked_message(refused)["retryable"] is True
    assert opens_after(limiter, clock, WAITS[name][value])


@pytest.mark.parametrize("period", [60, 3600, 1])
def test_a_429_without_a_hint_closes_for_a_slot(period, clock):
    """A sixtieth of the window."""
    limiter = RateLimiter.per(1000, period, clock=clock)
    limiter.observe({}, http.HTTPStatus.TOO_MANY_REQUESTS)
    assert limiter.retry_after() == pytest.approx(period / 60, abs=NS)
    assert opens_after(limiter, clock, limiter.retry_after())


def test_a_429_without_retry_after_closes_until_what_is_empty_is_back(clock):
    """And no longer than what it says itself, where it does."""
    limiter = of(1000, clock)
    limiter.observe(
        openai(remaining_tokens=0, reset_tokens="9s", remaining_requests=3, reset_requests="20s"), 429
    )
    assert opens_after(limiter, clock, 9)
    limiter.observe({"retry-after-ms": "100", "retry-after": "30"}, 429)
    assert opens_after(limiter, clock, 0.1)


@pytest.mark.parametrize("status", [503, 529])
def test_a_service_that_is_away_closes_where_it_says_for_how_long(status, clock):
    """Others say nothing of the rate; a time that has passed closes nothing."""
    limiter = of(1000, clock)
    limiter.observe({"retry-after": "12"}, status)
    assert opens_after(limiter, clock, 12)
    for other in (200, 202, 301, 400, 404, 500, 502):
        limiter.observe({"retry-after": "12"}, other)
    limiter.observe({"retry-after": "0"}, status)
    limiter.observe({"retry-after": "0"}, 429)
    assert room(limiter) == 1000


def test_nothing_left_is_honoured(clock):
    """0 tokens, 0 requests: not even 0 may be asked; a limit of 0 lets nothing through, for ever."""
    for said in (
        openai(remaining_tokens=0, reset_tokens="5s"),
        openai(remaining_requests=0, reset_requests="5s"),
    ):
        limiter = of(1000, clock)
        limiter.observe(said)
        assert (room(limiter), limiter.retry_after(), limiter.retry_after(1000)) == (-1, 5.0, 5.0)
        assert refusal_of(lambda at=limiter: at.reserve(0)).remaining == 0
        assert opens_after(limiter, clock, 5)
    limiter.observe(openai(limit_tokens=0))
    assert (limiter.try_acquire(), limiter.retry_after()) == (False, NEVER)
    payload = checked_message(refusal_of(lambda: limiter.reserve(1)))
    assert (payload["retryable"], payload["retry_after_seconds"]) == (False, None)
    limiter.observe(openai(limit_tokens=500))
    assert room(limiter) == 500


def test_a_lower_limit_of_the_provider_counts_and_a_higher_one_does_not(clock):
    """In the window as a whole; a refusal says the limit that refused."""
    limiter = of(1000, clock)
    limiter.record_usage(100)
    limiter.observe(openai(limit_tokens=400))
    assert (limiter.limit, room(limiter), limiter.retry_after(401)) == (1000, 300, NEVER)
    refused = refusal_of(lambda: limiter.reserve(401))
    payload = checked_message(refused)
    assert (refused.limit, refused.remaining, refused.retry_after) == (400, 300, None)
    assert (payload["retryable"], "whole limit" in payload["suggestion"]) == (False, True)
    assert limiter.retry_after(400) == 60.0
    limiter.observe(openai(limit_tokens=100_000))
    assert room(limiter) == 900
    hourly = RateLimiter.per(1_000_000, 3600, clock=clock)
    hourly.observe(openai(limit_tokens=1000))
    assert room(hourly) == 60_000
    short = RateLimiter.per(1_000_000, 10, clock=clock)
    short.observe(anthropic(tokens_limit=1000))
    assert room(short) == 1000


def test_open_leases_are_not_in_what_the_provider_has_seen(clock):
    """What is left is shared with them: the provider may not have counted them yet."""
    limiter = of(1000, clock)
    first = limiter.reserve(200)
    limiter.observe(openai(remaining_tokens=300, reset_tokens="30s"))
    assert room(limiter) == 100
    second = limiter.reserve(100)
    assert limiter.retry_after(50) == 30.0
    first.commit(150)
    assert room(limiter) == 50
    second.release()
    assert room(limiter) == 150
    assert limiter.try_acquire(140)
    assert room(limiter) == 10
    limiter.record_usage(145)
    assert room(limiter) == 5
    clock.advance(30)
    assert room(limiter) == 1000 - 295


def test_requests_left_are_counted_down(clock):
    """Slots with and without tokens, and reservations, until the reset."""
    limiter = of(1000, clock)
    limiter.observe(openai(remaining_requests=3, reset_requests="10s"))
    assert limiter.try_acquire()
    assert limiter.try_acquire(5)
    limiter.reserve(5).release()
    assert opens_after(limiter, clock, 10)
    assert all(limiter.try_acquire() for _ in range(10))


def test_a_later_response_replaces_an_earlier_one(clock):
    """More or less; what it does not say stays."""
    limiter = of(1000, clock)
    for left in (500, 100, 0, 700):
        limiter.observe(openai(remaining_tokens=left, reset_tokens="30s"))
        assert room(limiter) == (left or -1)
    limiter.observe(openai(remaining_requests=0, reset_requests="5s"))
    limiter.observe(openai(remaining_requests=900))
    limiter.observe(openai(limit_tokens=900))
    assert room(limiter) == 700
    clock.advance(30)
    assert room(limiter) == 900


def test_a_closed_door_is_not_opened_by_an_older_response(clock):
    """Nor by a shorter wait; a longer one counts."""
    limiter = of(1000, clock)
    limiter.observe({"retry-after": "20"}, 429)
    clock.advance(5)
    limiter.observe(openai(remaining_tokens=800, remaining_requests=500), 200)
    limiter.observe({"retry-after": "1"}, 429)
    limiter.observe({"retry-after": "0"}, 503)
    assert limiter.retry_after() == 15.0
    limiter.observe({"retry-after": "40"}, 429)
    assert opens_after(limiter, clock, 40)
    # The test of it took the slot.
    clock.advance(1)
    limiter.reserve(800).release()


@settings(max_examples=200)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["reserve", "acquire", "record", "commit", "release", "say"]), st.integers(0, 300)
        ),
        max_size=40,
    )
)
def test_never_more_is_admitted_than_the_provider_says_is_left(steps):
    """Beside what open leases hold; until it speaks again."""
    limiter, said, used, held, leases = of(1000, ManualClock()), 1000, 0, [], []
    for what, amount in steps:
        if what == "say":
            limiter.observe(openai(remaining_tokens=amount, reset_tokens="50s"))
            said, used = amount, 0
        elif what == "record":
            limiter.record_usage(amount)
            used += amount
            del held[:1]
        elif what in ("reserve", "acquire"):
            before = used + sum(held) + sum(lease.reserved.total_tokens for lease in leases)
            if what == "acquire" and (passed := limiter.try_acquire(amount)) and amount:
                held.append(amount)
            elif what == "reserve":
                passed = refusal_of(lambda n=amount: leases.append(limiter.reserve(n))) is None
            assert not passed or before + amount <= said
        elif leases:
            lease = leases.pop(0)
            if what == "commit":
                lease.commit(amount)
                used += amount
            else:
                lease.release()


DOORS = {
    "529 in ms": ({"retry-after-ms": "6000"}, 529),
    "openai tokens": (openai(remaining_tokens=0, reset_tokens="6s"), 200),
    "openai requests": (openai(remaining_requests=0, reset_requests="6s"), 200),
    "anthropic": (anthropic(tokens_remaining=0, tokens_reset="1970-01-01T00:00:06Z"), 200),
    "few left": (openai(remaining_tokens=99, reset_tokens="6000ms"), 200),
}


@pytest.mark.parametrize("door", DOORS)
async def test_those_who_wait_pass_exactly_when_the_door_opens(door, clock):
    """Slots and leases, in the order in which they came."""
    limiter, passed = of(1000, clock), []
    limiter.observe(*DOORS[door])

    async def call(name, wait):
        passed.append((name, await wait))

    waits = [limiter.acquire_slot(100), limiter.reserve_wait(100), limiter.acquire_slot(100)]
    tasks = [asyncio.create_task(call(name, wait)) for name, wait in enumerate(waits)]
    await spin()
    clock.advance(6 - NS)
    await spin()
    assert passed == []
    clock.advance(NS)
    await spin()
    assert [name for name, _ in passed] == [0, 1, 2]
    await asyncio.gather(*tasks)


async def test_a_response_changes_what_those_who_wait_wait_for(clock):
    """More left lets them pass at once, a 429 keeps them, too low a limit ends them."""
    limiter = of(1000, clock)
    limiter.observe(openai(remaining_tokens=0, reset_tokens="50s"))
    task = asyncio.create_task(limiter.reserve_wait(500))
    await spin()
    limiter.observe({"retry-after": "3"}, 429)
    limiter.observe(openai(remaining_tokens=500, reset_tokens="50s"))
    await spin()
    assert not task.done()
    clock.advance(3)
    await spin()
    (await task).commit(500)
    too_large, fits = (asyncio.create_task(limiter.reserve_wait(n)) for n in (401, 400))
    await spin()
    limiter.observe(openai(limit_tokens=400, remaining_tokens=400))
    await spin()
    with pytest.raises(RateLimitExceeded):
        await too_large
    assert not fits.done()
    clock.advance(60)
    await spin()
    assert (await fits).state == "open"
