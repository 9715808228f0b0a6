"""A limit of tokens a minute that a crowd of tasks shares, and the provider's own word on it."""

import asyncio

from outlay import RateLimiter, RateLimitExceeded
from outlay.testing import ManualClock

clock = ManualClock()  # so that the minutes of this example take no time
limiter = RateLimiter(10_000, clock=clock)


async def call(number: int) -> int:
    """Make one call when its turn has come."""
    async with await limiter.reserve_wait(3_000) as lease:
        # The model would be called here.
        lease.commit(2_400)  # what it says was used
    return number


async def crowd() -> list[int]:
    """Let six calls share the limit: three fit into the first minute, the others wait for the next."""
    calls = [asyncio.create_task(call(number)) for number in range(6)]
    await asyncio.sleep(0)
    done = sum(task.done() for task in calls)
    print(f"{done} done, {6 - done} wait: {limiter!r}")
    clock.advance(60)
    return await asyncio.gather(*calls)


assert asyncio.run(crowd()) == [0, 1, 2, 3, 4, 5]

# The provider refuses all the same, for others use its limit too: nothing passes until it says.
limiter.observe({"retry-after": "20", "x-ratelimit-limit-tokens": "8000"}, status=429)
try:
    limiter.reserve(100)
except RateLimitExceeded as refused:
    print(refused)
clock.advance(60)
assert limiter.try_acquire(8_000)
assert not limiter.try_acquire(1)
