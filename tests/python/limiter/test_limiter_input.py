"""RateLimiter: bad input at every entry point is refused by name and changes nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from face_support import BAD_AMOUNTS, BAD_PERIODS, THREES, checked_message, refusal_of

from outlay import InvalidAmount, PolicyError, RateLimiter, WaitTimeout


def of(limit, clock):
    """Return a limiter of `limit` tokens a minute."""
    return RateLimiter(limit, clock=clock)


AMOUNTS = {
    "tokens_per_minute": lambda limiter, n: RateLimiter(n),
    "tokens of per": lambda limiter, n: RateLimiter.per(n, 60),
    "tokens of try_acquire": lambda limiter, n: limiter.try_acquire(n),
    "tokens of acquire_slot": lambda limiter, n: asyncio.run(limiter.acquire_slot(n)),
    "tokens of acquire_slot_blocking": lambda limiter, n: limiter.acquire_slot_blocking(n),
    "tokens of reserve": lambda limiter, n: limiter.reserve(n).release(),
    "tokens of reserve_wait": lambda limiter, n: asyncio.run(limiter.reserve_wait(n)).release(),
    "tokens of reserve_blocking": lambda limiter, n: limiter.reserve_blocking(n).release(),
    "tokens of record_usage": lambda limiter, n: limiter.record_usage(n),
    "tokens of retry_after": lambda limiter, n: limiter.retry_after(n),
}


@pytest.mark.parametrize("entry", AMOUNTS)
def test_a_bad_amount_is_refused_by_name_and_changes_nothing(entry, clock):
    """Negative, bool, float, NaN, huge, text; numpy integers are integers."""
    limiter = of(100, clock)
    for label, bad in {**BAD_AMOUNTS, "None": None}.items():
        with pytest.raises(InvalidAmount) as caught:
            pytest.fail(f"{label} was taken: {AMOUNTS[entry](limiter, bad)}")
        assert str(caught.value).startswith(entry.split()[0]), label
        assert isinstance(caught.value, ValueError)
    assert (limiter.current_usage(), limiter.retry_after(79)) == (0, 0.0)
    for three in THREES:
        AMOUNTS[entry](limiter, three)


BAD_THRESHOLDS = [0, 0.0, -0.1, 1.5, 1.0000001, float("nan"), float("inf"), 10**400, "x", "0.8", True, [0.8]]


@pytest.mark.parametrize("threshold", BAD_THRESHOLDS, ids=lambda bad: repr(bad)[:20])
def test_a_threshold_that_is_no_share_is_refused_by_name(threshold):
    """Above 0 and at most 1."""
    for make in (RateLimiter, lambda n, **k: RateLimiter.per(n, 60, **k)):
        with pytest.raises(PolicyError, match=r"^threshold"):
            make(100, threshold=threshold)


PERIODS = {
    "period": lambda limiter, p: RateLimiter.per(1, p),
    "lease_ttl": lambda limiter, p: RateLimiter(1, lease_ttl=p),
    "ttl of reserve": lambda limiter, p: limiter.reserve(1, ttl=p),
    "ttl of reserve_wait": lambda limiter, p: asyncio.run(limiter.reserve_wait(1, ttl=p)),
    "ttl of reserve_blocking": lambda limiter, p: limiter.reserve_blocking(1, ttl=p),
}
TIMEOUTS = {
    "acquire_slot": lambda limiter, t: asyncio.run(limiter.acquire_slot(timeout=t)),
    "acquire_slot_blocking": lambda limiter, t: limiter.acquire_slot_blocking(timeout=t),
    "reserve_wait": lambda limiter, t: asyncio.run(limiter.reserve_wait(1, timeout=t)).release(),
    "reserve_blocking": lambda limiter, t: limiter.reserve_blocking(1, timeout=t).release(),
}


@pytest.mark.parametrize("entry", PERIODS)
def test_a_bad_period_is_refused_by_name_and_changes_nothing(entry, clock):
    """More than 0 and at most 100 years."""
    limiter = of(100, clock)
    for label, bad in BAD_PERIODS.items():
        if bad is None and entry != "period":
            continue
        with pytest.raises(PolicyError) as caught:
            pytest.fail(f"{label} was taken: {PERIODS[entry](limiter, bad)}")
        assert str(caught.value).startswith(entry.split()[0]), label
    assert refusal_of(lambda: limiter.reserve(100).release()) is None


@pytest.mark.parametrize("entry", TIMEOUTS)
def test_a_bad_timeout_is_refused_by_name_even_where_there_is_room(entry, clock):
    """0 does not wait; None waits for ever."""
    limiter = of(100, clock)
    bad_timeouts = {key: bad for key, bad in BAD_PERIODS.items() if key not in ("zero", "tiny", "None")}
    for label, bad in bad_timeouts.items():
        with pytest.raises(PolicyError, match=r"^timeout"):
            pytest.fail(f"{label} was taken: {TIMEOUTS[entry](limiter, bad)}")
    for good in (0, 0.0, None, 5, timedelta(seconds=5)):
        TIMEOUTS[entry](limiter, good)
    limiter.record_usage(100)
    with pytest.raises(WaitTimeout) as waited:
        TIMEOUTS[entry](limiter, 0)
    assert waited.value.retry_after == 60.0
    assert checked_message(waited.value)["error"] == "rate_limit_exceeded"
