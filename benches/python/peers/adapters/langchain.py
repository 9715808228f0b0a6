"""LangChain's `InMemoryRateLimiter`: a chat model calls its `acquire` or `aacquire` (their docstrings)."""

from __future__ import annotations

from langchain_core.rate_limiters import InMemoryRateLimiter

from ..case import AWAIT, BOOK, DAY, REFUSED, Agent, Call, Case, Crowd, Made
from . import outlay as ours

PACKAGE = "langchain-core"


def limiter_of(limit: int) -> InMemoryRateLimiter:
    """Make one whose bucket is full: a new one is empty, and fills with time."""
    limiter = InMemoryRateLimiter(requests_per_second=1 / DAY, max_bucket_size=limit)
    limiter.available_tokens = float(limit)
    return limiter


def acquire(limit: int) -> Made:
    limiter = limiter_of(limit)

    def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = limiter.acquire(blocking=False)
        return answer

    return Made(loop)


def aacquire(limit: int) -> Made:
    limiter = limiter_of(limit)

    async def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = await limiter.aacquire()
        return answer

    return Made(loop)


BUCKET = "token bucket of requests; one lock, no key"
CASES = [
    Case(BOOK, "LangChain: acquire(blocking=False)", BUCKET, acquire, ours.TRY_CONSUME, threads=True),
    Case(REFUSED, "LangChain: acquire(blocking=False)", "answers False", acquire, ours.REFUSED_TRY),
    Case(
        AWAIT,
        "LangChain: await aacquire()",
        f"{BUCKET}; the others ask again every 0.1 s",
        aacquire,
        ours.SLOT,
    ),
]


def agents(limit: int) -> Agent:
    limiter = limiter_of(limit)

    async def agent(call: Call) -> None:
        await limiter.aacquire()
        await call()

    return agent


CROWDS = [Crowd("LangChain: await aacquire()", "counts each call before it, the others ask again", agents)]
