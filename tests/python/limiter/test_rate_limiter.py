"""RateLimiter: slots below a threshold, held tokens, leases, usage that is never refused, exact waits."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from datetime import timedelta

import pytest
from face_support import MAX, checked_message, in_threads, refusal_of
from hypothesis import example, given
from hypothesis import strategies as st

from outlay import (
    LimitExceeded,
    ManualClock,
    RateLimiter,
    RateLimitExceeded,
    SystemClock,
    Usage,
    UsageEstimate,
    WaitTimeout,
)

NS = 1e-9


def of(limit, clock, **keywords):
    """Return a limiter of `limit` tokens a minute."""
    return RateLimiter(limit, clock=clock, **keywords)


def test_a_limiter_says_what_it_is():
    """The attributes, by both ways to make one."""
    limiter = RateLimiter(1_000)
    assert (limiter.limit, limiter.window, limiter.threshold) == (1_000, 60.0, 0.8)
    assert limiter.tokens_per_minute == 1_000
    limiter = RateLimiter.per(
        10_000,
        timedelta(hours=1),
        threshold=0.5,
        lease_ttl=5,
        unsettled="release",
        on_error="charge",
        clock=SystemClock(),
    )
    assert (limiter.limit, limiter.window, limiter.threshold) == (10_000, 3600.0, 0.5)
    assert limiter.tokens_per_minute == pytest.approx(10_000 / 60)
    assert RateLimiter(tokens_per_minute=7, threshold=1).threshold == 1.0
    assert RateLimiter(MAX).limit == MAX
    assert RateLimiter.per(tokens=5, period=0.5).tokens_per_minute == 600
    assert repr(RateLimiter(5)) == "<RateLimiter: 0 of 5 tokens used in 60 s>"


def test_only_the_limit_and_the_period_are_positional():
    """A threshold in their place is a mistake."""
    for make in (
        lambda: RateLimiter(),
        lambda: RateLimiter(1, 0.5),
        lambda: RateLimiter.per(1),
        lambda: RateLimiter.per(1, 60, 0.5),
        lambda: RateLimiter(1, limit=5),
    ):
        with pytest.raises(TypeError):
            make()


@given(
    limit=st.one_of(st.integers(0, 1000), st.integers(0, 2**53)),
    threshold=st.floats(0, 1, exclude_min=True),
    off=st.integers(-3, 3),
    tokens=st.one_of(st.just(0), st.integers(0, 2**53)),
)
@example(limit=100, threshold=0.29, off=0, tokens=0)  # 28.999999999999996
@example(limit=100, threshold=0.57, off=0, tokens=0)  # 56.99999999999999
@example(limit=1000, threshold=0.07, off=0, tokens=0)  # 70.00000000000001
@example(limit=10, threshold=1.0, off=0, tokens=0)
@example(limit=0, threshold=1.0, off=0, tokens=0)
def test_slots_are_given_out_strictly_below_the_threshold(limit, threshold, off, tokens):
    """As Python's own `usage < threshold * limit` says it; and usage + tokens <= limit."""
    usage = min(max(0, int(threshold * limit) + off), limit + 2)
    limiter = of(limit, ManualClock(), threshold=threshold)
    limiter.record_usage(usage)
    assert limiter.try_acquire() == (usage < threshold * limit)
    assert limiter.try_acquire(tokens) == (usage < threshold * limit and usage + tokens <= limit)


def test_what_a_slot_asks_for_fits_the_full_limit(clock):
    """Equality is admitted: the limit is full, not over."""
    limiter = of(1000, clock)
    limiter.record_usage(799)
    assert not limiter.try_acquire(202)
    assert limiter.try_acquire(201)
    assert not limiter.try_acquire()
    assert limiter.current_usage() == 799


def test_held_tokens_count_until_a_slot_of_the_window_is_over():
    """A sixtieth of it: they are no usage, and nobody passes the same check."""
    for period in (60, 3600, 1, 86400):
        clock = ManualClock()
        limiter = RateLimiter.per(1000, period, clock=clock)
        assert limiter.try_acquire(800)
        assert not limiter.try_acquire()
        assert not limiter.try_acquire(1)
        assert limiter.current_usage() == 0
        assert limiter.retry_after() == pytest.approx(period / 60, abs=NS)
        clock.advance(limiter.retry_after() - NS)
        assert not limiter.try_acquire(1)
        clock.advance(NS)
        assert limiter.try_acquire(800)


def test_one_record_ends_the_oldest_hold(clock):
    """Whatever it says was used; with none held it only counts."""
    limiter = of(1000, clock, threshold=1)
    limiter.record_usage(1)
    for tokens in (300, 500, 100):
        assert limiter.try_acquire(tokens)

    def room():
        return 1000 - next(n for n in range(1000, -2, -1) if n < 0 or limiter.retry_after(n) == 0)

    assert room() == 901
    limiter.record_usage(10)
    assert room() == 611
    limiter.record_usage(0)
    assert room() == 111
    limiter.record_usage(50)
    assert room() == 61
    limiter.record_usage(5)
    assert (room(), limiter.current_usage()) == (66, 66)


def test_a_crowd_of_threads_does_not_pass_one_check(clock):
    """100 at once, with tokens: as many as fit below the threshold."""
    limiter = of(1000, clock)
    passed = []
    in_threads(100, lambda number: passed.append(limiter.try_acquire(100)))
    assert sum(passed) == 8


async def test_a_crowd_of_tasks_does_not_pass_one_check(clock):
    """100 at once wait for their turn; after each slot of the window the next few pass."""
    limiter = of(1000, clock)
    passed = []

    async def call(number):
        await limiter.acquire_slot(100)
        passed.append(number)

    tasks = [asyncio.create_task(call(number)) for number in range(100)]
    for count in (8, 16, 24):
        for _ in range(5):
            await asyncio.sleep(0)
        assert passed == list(range(count))
        clock.advance(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_without_tokens_a_slot_is_advice(clock):
    """A crowd passes, and what it uses is counted all the same."""
    limiter = of(1000, clock)
    assert all(limiter.try_acquire() for _ in range(100))
    for _ in range(100):
        limiter.record_usage(100)
    assert limiter.current_usage() == 10_000
    assert not limiter.try_acquire()


def test_reservations_may_use_the_full_limit(clock):
    """The threshold is for slots alone."""
    limiter = of(1000, clock)
    limiter.record_usage(900)
    assert not limiter.try_acquire()
    lease = limiter.reserve(100)
    assert (lease.reserved.total_tokens, limiter.current_usage()) == (100, 900)
    refused = refusal_of(lambda: limiter.reserve(1))
    assert isinstance(refused, RateLimitExceeded)
    lease.release()
    limiter.reserve(UsageEstimate(input_tokens=60, output_tokens=40)).commit(Usage(total_tokens=70))
    assert limiter.current_usage() == 970


def test_a_lease_ends_in_every_way(clock):
    """Committed with less, with more, with nothing said; released; dropped; by an error; run out."""
    limiter = of(1000, clock)
    limiter.reserve(100).commit(30)
    limiter.reserve(100).commit(1200)
    assert limiter.current_usage() == 1230
    assert not limiter.try_acquire(0)
    clock.advance(61)
    limiter.reserve(100).commit()
    limiter.reserve(100).release()
    assert limiter.current_usage() == 100
    for unsettled, on_error, dropped, failed in (("charge", "release", 10, 0), ("release", "charge", 0, 20)):
        limiter = of(1000, clock, unsettled=unsettled, on_error=on_error)
        limiter.reserve(10)
        gc.collect()
        assert limiter.current_usage() == dropped
        with pytest.raises(KeyError), limiter.reserve(20):
            raise KeyError
        assert limiter.current_usage() == dropped + failed
        lease = limiter.reserve(40, ttl=5)
        clock.advance(5 - NS)
        assert (lease.state, limiter.current_usage()) == ("open", dropped + failed)
        clock.advance(NS)
        assert (lease.state, limiter.current_usage()) == ("expired", dropped * 5 + failed)
        lease.commit(7)
        assert limiter.current_usage() == dropped + failed + 7
        with limiter.reserve(3) as lease:
            lease.commit(2)
        assert limiter.current_usage() == dropped + failed + 9


def test_a_lease_counts_as_long_as_it_is_open_and_its_usage_from_the_commit_on(clock):
    """However long the call takes, the whole window is full."""
    limiter = of(100, clock)
    lease = limiter.reserve(100)
    clock.advance(600)
    assert refusal_of(lambda: limiter.reserve(1)).reserved == 100
    lease.commit(100)
    clock.advance(60 - NS)
    assert refusal_of(lambda: limiter.reserve(1)).used == 100
    clock.advance(NS)
    limiter.reserve(100).release()


def test_what_was_used_is_never_refused(clock):
    """Above the limit, to the brim of 64 bits and beyond; all of it leaves again."""
    limiter = of(100, clock)
    limiter.record_usage(90)
    limiter.record_usage(Usage(input_tokens=20, output_tokens=5))
    assert limiter.current_usage() == 115
    assert refusal_of(lambda: limiter.reserve(0)).remaining == 0
    for _ in range(3):
        limiter.record_usage(MAX)
    assert limiter.current_usage() == MAX
    clock.advance(60)
    assert limiter.current_usage() == 0
    assert limiter.try_acquire(100)


def test_never_is_infinite(clock):
    """More than the limit, or a limit of nothing: no time helps."""
    limiter = of(100, clock)
    assert (limiter.retry_after(), limiter.retry_after(100)) == (0.0, 0.0)
    assert limiter.retry_after(101) == float("inf")
    nothing = of(0, clock)
    assert not nothing.try_acquire()
    assert nothing.retry_after() == float("inf")
    assert nothing.current_usage() == 0


def test_a_refusal_is_json_for_the_model(clock):
    """It says when to come again; what is too large says that no time helps. No agent is named."""
    limiter = of(1000, clock)
    limiter.record_usage(600)
    lease = limiter.reserve(300)
    refused = refusal_of(lambda: limiter.reserve(101))
    assert isinstance(refused, RateLimitExceeded)
    assert (refused.kind, refused.limit, refused.used, refused.reserved) == ("rate", 1000, 600, 300)
    assert (refused.requested, refused.remaining, refused.retry_after) == (101, 100, 60.0)
    payload = checked_message(refused)
    assert (payload["error"], payload["type"], payload["retryable"]) == ("rate_limit_exceeded", "rate", True)
    assert payload["retry_after_seconds"] == 60
    assert "agent_id" not in payload["details"]
    assert payload["details"]["unit"] == "tokens"
    lease.release()
    for too_large in (
        refusal_of(lambda: limiter.reserve(1001)),
        refusal_of(lambda: limiter.reserve_blocking(1001)),
        refusal_of(lambda: limiter.acquire_slot_blocking(1001)),
        refusal_of(lambda: of(0, clock).acquire_slot_blocking()),
        refusal_of(lambda: of(0, clock).reserve(1)),
    ):
        payload = checked_message(too_large)
        assert (payload["retryable"], payload["retry_after_seconds"]) == (False, None)
        assert "whole limit" in payload["suggestion"]
    assert pickle.loads(pickle.dumps(refused)).payload == refused.payload
    assert limiter.current_usage() == 600


async def test_awaiting_what_never_fits_is_refused_at_once(clock):
    """It does not queue, and changes nothing."""
    limiter = of(1000, clock)
    for awaitable in (limiter.acquire_slot(1001), limiter.reserve_wait(1001)):
        with pytest.raises(RateLimitExceeded) as refused:
            await awaitable
        assert not isinstance(refused.value, WaitTimeout)
    assert limiter.try_acquire(1000)


def test_a_refusal_costs_nothing(clock):
    """Refused requests are not counted."""
    limiter = of(100, clock)
    limiter.record_usage(90)
    for _ in range(10):
        assert not limiter.try_acquire(5)
        assert isinstance(refusal_of(lambda: limiter.reserve(11)), LimitExceeded)
    limiter.reserve(10).commit()
    assert limiter.current_usage() == 100


def test_a_copy_of_a_limiter_is_the_limiter(clock):
    """Another one would have a limit of its own; its leases neither. It is not pickled."""
    limiter = of(100, clock)
    for one in (limiter, limiter.reserve(1)):
        assert copy.copy(one) is copy.deepcopy(one) is one
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(one)


def test_the_repr_says_how_full_it_is(clock):
    """In one line."""
    limiter = of(100, clock)
    limiter.record_usage(30)
    limiter.try_acquire(20)
    assert repr(limiter) == "<RateLimiter: 30 of 100 tokens used in 60 s>"
    assert repr(RateLimiter.per(5, 0.5, clock=clock)) == "<RateLimiter: 0 of 5 tokens used in 0.5 s>"
