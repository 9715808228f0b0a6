"""aiolimiter: `async with limiter` (README, "Introduction") and `acquire` (its docstring)."""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from ..case import AWAIT, DAY, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "aiolimiter"


def acquire(limit: int) -> Made:
    limiter = AsyncLimiter(limit, DAY)

    async def loop(calls: int) -> None:
        for _ in range(calls):
            await limiter.acquire()

    return Made(loop)


def block(limit: int) -> Made:
    limiter = AsyncLimiter(limit, DAY)

    async def loop(calls: int) -> None:
        for _ in range(calls):
            async with limiter:
                pass

    return Made(loop)


LEAKY = "leaky bucket of one event loop; no lock, no usage"
CASES = [
    Case(AWAIT, "aiolimiter: await acquire()", LEAKY, acquire, ours.SLOT, is_none),
    Case(AWAIT, "aiolimiter: async with", LEAKY, block, ours.ASYNC_WITH, is_none),
]


def agents(limit: int) -> Agent:
    limiter = AsyncLimiter(limit, DAY)

    async def agent(call: Call) -> None:
        async with limiter:
            await call()

    return agent


CROWDS = [Crowd("aiolimiter: async with", "counts each call before it, the others wait", agents)]
