"""Await while there is room: nothing waits."""

from __future__ import annotations

from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.floors import READY
from outlay._core import EmptyMethods

GROUP = floors.with_floors("Awaited, while there is room", awaits=True)


@GROUP.case("await a coroutine with one empty PyO3 call", beside=READY)
def empty() -> Loop:
    methods = EmptyMethods()

    async def call(tokens):
        methods.consume("query", tokens)

    async def run(count):
        for _ in range(count):
            await call(10)

    return run


@GROUP.case("`await acquire_slot()`", beside=READY)
def advice() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    async def run(count):
        for _ in range(count):
            await limiter.acquire_slot()

    return run


@GROUP.case("`await acquire_slot(10)` + `record_usage(10)`", beside=READY)
def pair() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    async def run(count):
        for _ in range(count):
            await limiter.acquire_slot(10)
            limiter.record_usage(10)

    return run


@GROUP.case("limiter: `(await reserve_wait(10)).commit(10)`", beside=READY)
def limiter_lease() -> Loop:
    limiter = outlay.RateLimiter(PLENTY)

    async def run(count):
        for _ in range(count):
            (await limiter.reserve_wait(10)).commit(10)

    return run


@GROUP.case("pool: `(await reserve_wait(10)).commit(10)`", beside=READY)
def pool_lease() -> Loop:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)

    async def run(count):
        for _ in range(count):
            (await pool.reserve_wait(10)).commit(10)

    return run


@GROUP.case("pool: `with await reserve_wait(10) as lease`", beside=READY)
def with_form() -> Loop:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)

    async def run(count):
        for _ in range(count):
            with await pool.reserve_wait(10) as lease:
                lease.commit(10)

    return run


@GROUP.case("pool: `async with await reserve_wait(10) as lease`", beside=READY)
def async_with() -> Loop:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)

    async def run(count):
        for _ in range(count):
            async with await pool.reserve_wait(10) as lease:
                lease.commit(10)

    return run
