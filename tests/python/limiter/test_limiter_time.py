"""RateLimiter: how long usage counts, and when the same request passes: to the nanosecond."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from face_support import refusal_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outlay import ManualClock, RateLimiter

NS = 1e-9


def of(limit, clock, **keywords):
    """Return a limiter of `limit` tokens a minute."""
    return RateLimiter(limit, clock=clock, **keywords)


def test_usage_counts_for_one_window_and_less_than_a_slot_more(clock):
    """Exactly one window where it came first, or at whole slots after the first."""
    limiter = of(100, clock)
    clock.advance(0.3)
    limiter.record_usage(1)
    clock.advance(7)
    limiter.record_usage(10)
    clock.advance(0.5)
    limiter.record_usage(100)
    for seconds, used in ((52.5 - NS, 111), (NS, 110), (7 - NS, 110), (NS, 100), (1 - NS, 100), (NS, 0)):
        clock.advance(seconds)
        assert limiter.current_usage() == used


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "acquire", "reserve", "commit", "release", "drop"]),
        st.integers(0, 120),
        st.integers(0, 20_000_000_000),
    ),
    max_size=25,
)


@settings(max_examples=300)
@given(steps=STEPS, tokens=st.integers(0, 110), unsettled=st.sampled_from(["charge", "release"]))
def test_the_same_request_passes_exactly_when_retry_after_says(steps, tokens, unsettled):
    """Not a nanosecond earlier, not one later, if nothing else happens."""
    clock = ManualClock()
    limiter = of(100, clock, unsettled=unsettled)
    leases = []
    for what, amount, nanoseconds in steps:
        if what == "record":
            limiter.record_usage(amount)
        elif what == "acquire":
            free = limiter.retry_after(amount) == 0.0
            assert limiter.try_acquire(amount) == free
        elif what == "reserve":
            refused = refusal_of(lambda n=amount: leases.append(limiter.reserve(n, ttl=1 + n)))
            assert refused is None or refused.retry_after is None or refused.retry_after > 0
        elif leases:
            lease = leases.pop()
            if what == "commit":
                lease.commit(amount)
            elif what == "release" and lease.state == "open":
                lease.release()
            lease = None
        clock.advance(timedelta(microseconds=nanoseconds // 1000))
        clock.advance(nanoseconds % 1000 * NS)
    wait = limiter.retry_after(tokens)
    assert (wait == float("inf")) == (tokens > 100)
    assume(wait < float("inf"))
    if wait > 0:
        clock.advance(wait - NS)
        assert not limiter.try_acquire(tokens)
        clock.advance(NS)
    assert limiter.try_acquire(tokens)


@settings(max_examples=200)
@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30_000_000)), max_size=40),
    period=st.sampled_from([60, 1, 0.001, 7.5, 86400]),
)
def test_the_usage_is_that_of_an_exact_log_or_up_to_a_slot_older(steps, period):
    """Never less than what was used in the last window, never what is older than 61 sixtieths of it."""
    clock, now, log = ManualClock(), timedelta(), []
    limiter = RateLimiter.per(100, period, clock=clock)
    for tokens, micros in steps:
        step = timedelta(microseconds=micros) * (period / 60)
        clock.advance(step)
        now += step
        limiter.record_usage(tokens)
        log.append((now, tokens))
        window = timedelta(seconds=period)
        least = sum(n for at, n in log if at > now - window)
        most = sum(n for at, n in log if at > now - window * 61 / 60 - timedelta(microseconds=1))
        assert least <= limiter.current_usage() <= most


EDGES = [
    datetime(year, month, calendar.monthrange(year, month)[1], 23, 59, 59, 999_999, tzinfo=UTC)
    for year in (2023, 2024, 2100)
    for month in (1, 2, 4, 12)
]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge:%Y-%m-%d}")
def test_month_ends_and_steps_of_the_wall_clock_change_nothing(edge, clock):
    """29 February too: only the time that passes counts."""
    clock.set_time(edge - timedelta(seconds=30))
    limiter = of(100, clock)
    limiter.record_usage(100)
    clock.advance(30)
    assert (limiter.current_usage(), limiter.retry_after()) == (100, 30.0)
    for stepped in (edge + timedelta(days=366), edge - timedelta(days=366), edge):
        clock.set_time(stepped)
        assert (limiter.current_usage(), limiter.retry_after()) == (100, 30.0)
        assert not limiter.try_acquire()
    clock.advance(30 - NS)
    assert not limiter.try_acquire()
    clock.advance(NS)
    assert limiter.try_acquire(100)
