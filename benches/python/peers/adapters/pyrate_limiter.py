"""pyrate-limiter: `try_acquire`, `try_acquire_async`.

README: "Blocking, non-blocking & timeout", "GCRA / Token bucket", "asyncio & event loops".
"""

from __future__ import annotations

import pyrate_limiter
from pyrate_limiter import (
    BucketAsyncWrapper,
    Duration,
    InMemoryBucket,
    Limiter,
    Rate,
    StateBucket,
    TokenBucket,
)

from ..case import AWAIT, BOOK, REFUSED, Agent, Call, Case, Crowd, Made
from . import outlay as ours

PACKAGE = "pyrate-limiter"


def asking(limiter: Limiter, bucket: pyrate_limiter.AbstractBucket) -> Made:
    def loop(calls: int) -> object:
        answer: object = False
        for _ in range(calls):
            answer = limiter.try_acquire("agent-1", blocking=False)
        return answer

    return Made(loop, bucket.flush)


def log(limit: int) -> Made:
    bucket = InMemoryBucket([Rate(limit, Duration.DAY)])
    return asking(Limiter(bucket), bucket)


def token_bucket(limit: int) -> Made:
    bucket = StateBucket([Rate(limit, Duration.DAY)], algorithm=TokenBucket())
    return asking(Limiter(bucket), bucket)


def async_log(limit: int) -> Made:
    bucket = InMemoryBucket([Rate(limit, Duration.DAY)])
    limiter = Limiter(BucketAsyncWrapper(bucket))

    async def loop(calls: int) -> object:
        answer: object = False
        for _ in range(calls):
            answer = await limiter.try_acquire_async("agent-1", blocking=False)
        return answer

    return Made(loop, bucket.flush)


LOG = "log of every unit, sliding window; two locks"
CASES = [
    Case(BOOK, "pyrate-limiter: try_acquire", LOG, log, ours.SLIDING, threads=True),
    Case(
        BOOK,
        "pyrate-limiter: try_acquire, TokenBucket",
        "one number for each rate (GCRA); two locks",
        token_bucket,
        ours.TRY_CONSUME,
        threads=True,
    ),
    Case(REFUSED, "pyrate-limiter: try_acquire", "answers False", log, ours.REFUSED_TRY),
    Case(AWAIT, "pyrate-limiter: try_acquire_async", LOG, async_log, ours.SLOT),
]


def agents(limit: int) -> Agent:
    limiter = Limiter(BucketAsyncWrapper(InMemoryBucket([Rate(limit, Duration.DAY)])))

    async def agent(call: Call) -> None:
        if await limiter.try_acquire_async("agent-1", blocking=False):
            await call()

    return agent


CROWDS = [
    Crowd("pyrate-limiter: try_acquire_async", "counts each call before it; requests, no usage", agents)
]
