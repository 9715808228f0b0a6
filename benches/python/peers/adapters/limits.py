"""limits: `strategy.hit(item, *identifiers)`.

Documented in its README ("Dive right in") and at https://limits.readthedocs.io ("Async Support"). The storage
is made anew before each chunk, so the start of its timer thread, once in 10 ms, is not timed.
"""

from __future__ import annotations

import limits
import limits.aio.storage
import limits.aio.strategies
from limits import strategies
from limits.storage import MemoryStorage

from ..case import AWAIT, BOOK, REFUSED, Agent, Call, Case, Crowd, Made
from . import outlay as ours

PACKAGE = "limits"


def hit(strategy_class: type[strategies.RateLimiter], limit: int) -> Made:
    strategy = strategy_class(MemoryStorage())
    item = limits.RateLimitItemPerDay(limit)

    def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = strategy.hit(item, "agent-1")
        return answer

    def reset() -> None:
        nonlocal strategy
        strategy = strategy_class(MemoryStorage())

    return Made(loop, reset)


def fixed(limit: int) -> Made:
    return hit(strategies.FixedWindowRateLimiter, limit)


def moving(limit: int) -> Made:
    return hit(strategies.MovingWindowRateLimiter, limit)


def sliding_counter(limit: int) -> Made:
    return hit(strategies.SlidingWindowCounterRateLimiter, limit)


def async_hit(strategy_class: type[limits.aio.strategies.RateLimiter], limit: int) -> Made:
    strategy = strategy_class(limits.aio.storage.MemoryStorage())
    item = limits.RateLimitItemPerDay(limit)

    async def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = await strategy.hit(item, "agent-1")
        return answer

    def reset() -> None:
        nonlocal strategy
        strategy = strategy_class(limits.aio.storage.MemoryStorage())

    return Made(loop, reset)


def async_fixed(limit: int) -> Made:
    return async_hit(limits.aio.strategies.FixedWindowRateLimiter, limit)


def async_moving(limit: int) -> Made:
    return async_hit(limits.aio.strategies.MovingWindowRateLimiter, limit)


COUNTER = "counter by key, fixed window; one lock"
LOG = "log of every hit, sliding window; one lock"
WEIGHTED = "two counters by key, weighted: an estimate of a sliding window; one lock"
CASES = [
    Case(BOOK, "limits: FixedWindow.hit", COUNTER, fixed, ours.MANAGER, threads=True),
    Case(BOOK, "limits: MovingWindow.hit", LOG, moving, ours.SLIDING, threads=True),
    Case(BOOK, "limits: SlidingWindowCounter.hit", WEIGHTED, sliding_counter, ours.SLIDING, threads=True),
    Case(REFUSED, "limits: FixedWindow.hit", "answers False", fixed, ours.REFUSED_TRY),
    Case(AWAIT, "limits.aio: FixedWindow.hit", COUNTER, async_fixed, ours.SLOT),
    Case(AWAIT, "limits.aio: MovingWindow.hit", LOG, async_moving, ours.SLOT),
]


def agents(limit: int) -> Agent:
    strategy = strategies.MovingWindowRateLimiter(MemoryStorage())
    item = limits.RateLimitItemPerDay(limit)

    async def agent(call: Call) -> None:
        if strategy.hit(item, "agent-1"):
            await call()

    return agent


CROWDS = [Crowd("limits: MovingWindow.hit", "counts each call before it; requests, no usage", agents)]
