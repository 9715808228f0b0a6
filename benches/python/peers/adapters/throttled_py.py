"""throttled-py: `throttle.limit(key, cost)` and its context manager.

README: "Function Call", "Context Manager", "Asynchronous".
"""

from __future__ import annotations

import throttled.asyncio
from throttled import MemoryStore, RateLimiterType, Throttled, exceptions

from ..case import AWAIT, BOOK, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "throttled-py"


def passed(answer: throttled.RateLimitResult) -> bool:
    return not answer.limited


def asking(using: RateLimiterType, limit: int) -> Made:
    throttle = Throttled(using=using.value, quota=f"{limit}/d", store=MemoryStore())

    def loop(calls: int) -> object:
        answer = None
        for _ in range(calls):
            answer = throttle.limit("agent-1", 1)
        return answer

    return Made(loop)


def fixed(limit: int) -> Made:
    return asking(RateLimiterType.FIXED_WINDOW, limit)


def gcra(limit: int) -> Made:
    return asking(RateLimiterType.GCRA, limit)


def raised(limit: int, text: bool = False) -> Made:
    throttle = Throttled(
        key="agent-1", using=RateLimiterType.FIXED_WINDOW.value, quota=f"{limit}/d", store=MemoryStore()
    )

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                with throttle:
                    pass
            except exceptions.LimitedError as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


def async_gcra(limit: int) -> Made:
    throttle = throttled.asyncio.Throttled(
        using=RateLimiterType.GCRA.value, quota=f"{limit}/d", store=throttled.asyncio.MemoryStore()
    )

    async def loop(calls: int) -> object:
        answer = None
        for _ in range(calls):
            answer = await throttle.limit("agent-1", 1)
        return answer

    return Made(loop)


COUNTER = "counter by key, fixed window; one lock; answers what is left and until when"
CELLS = "one time for each key (GCRA); one lock; answers what is left and until when"
CASES = [
    Case(BOOK, "throttled-py: limit, fixed window", COUNTER, fixed, ours.MANAGER, passed, threads=True),
    Case(BOOK, "throttled-py: limit, GCRA", CELLS, gcra, ours.MANAGER, passed, threads=True),
    Case(
        REFUSED,
        "throttled-py: limit, fixed window",
        "answers what is left and until when",
        fixed,
        ours.REFUSED_TRY,
        passed,
    ),
    Case(
        REFUSED,
        "throttled-py: with Throttled(), raised",
        "raises with its answer; the sentence is written at once",
        raised,
        ours.REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        "throttled-py: with Throttled(), raised, str(exc)",
        "the same",
        lambda limit: raised(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
    Case(AWAIT, "throttled.asyncio: await limit, GCRA", CELLS, async_gcra, ours.SLOT, passed),
]


def agents(limit: int) -> Agent:
    throttle = throttled.asyncio.Throttled(
        using=RateLimiterType.GCRA.value, quota=f"{limit}/d", store=throttled.asyncio.MemoryStore()
    )

    async def agent(call: Call) -> None:
        if not (await throttle.limit("agent-1", 1)).limited:
            await call()

    return agent


CROWDS = [Crowd("throttled.asyncio: limit", "counts each call before it; requests, no usage", agents)]
