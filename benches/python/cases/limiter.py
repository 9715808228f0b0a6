"""The sliding limiter, beside a log by hand."""

from __future__ import annotations

from by_hand.log import LockedLog
from timing import PLENTY, Loop

import outlay
from cases import floors

GROUP = floors.with_floors("The limiter")
BY_HAND = "by hand: a log with a lock"
MINUTE = 60.0


@GROUP.case(BY_HAND)
def by_hand() -> Loop:
    def run(count):
        log = LockedLog(PLENTY, MINUTE)  # anew, or it grows by an entry for each call
        for _ in range(count):
            log.hit(10)

    return run


@GROUP.case("`try_acquire()`", beside=BY_HAND)
def advice() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    def run(count):
        for _ in range(count):
            limiter.try_acquire()

    return run


@GROUP.case("`record_usage(10)`", beside=BY_HAND)
def record() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    def run(count):
        for _ in range(count):
            limiter.record_usage(10)

    return run


def asking(limiter: outlay.RateLimiter) -> Loop:
    def run(count):
        for _ in range(count):
            limiter.try_acquire(10)
            limiter.record_usage(10)

    return run


def filled(events: int) -> outlay.RateLimiter:
    """Return a limiter with so many events, spread over the whole window."""
    clock = outlay.ManualClock()
    limiter = outlay.RateLimiter(PLENTY, clock=clock)
    for _ in range(events):
        limiter.record_usage(10)
        clock.advance(MINUTE / events)
    return limiter


PAIR = "`try_acquire(10)` + `record_usage(10)`"
GROUP.case(PAIR, beside=BY_HAND)(lambda: asking(outlay.RateLimiter(PLENTY)))
FEW = "the same by a `ManualClock`, 1,000 events"
GROUP.case(FEW, beside=BY_HAND)(lambda: asking(filled(1_000)))
GROUP.case("the same by a `ManualClock`, 1,000,000 events", beside=FEW)(lambda: asking(filled(1_000_000)))


@GROUP.case("`reserve(10).commit(10)`", beside=BY_HAND)
def lease() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    def run(count):
        for _ in range(count):
            limiter.reserve(10).commit(10)

    return run


@GROUP.case("refused `try_acquire(10)`", beside=BY_HAND)
def refused() -> Loop:
    spent = outlay.RateLimiter.per(1_000, 86_400)
    spent.record_usage(1_000)

    def run(count):
        for _ in range(count):
            spent.try_acquire(10)

    return run
