"""After a 429 at most a sixtieth of the limit starts in each slot, for one window."""

import asyncio

import pytest
from face_support import refusal_of
from headers_support import NS, of, spin

from outlay import Guard


async def test_those_who_wait_start_slot_by_slot(clock):
    """A slot of a limit of 600 tokens is worth 10; what is larger takes the slots after it."""
    limiter, passed = of(600, clock), []
    limiter.observe({"retry-after": "6"}, 429)

    async def call(name, tokens):
        lease = await limiter.reserve_wait(tokens)
        passed.append(name)
        lease.commit(0)

    tasks = [asyncio.create_task(call(*each)) for each in enumerate([5, 5, 5, 30, 10])]
    await spin()
    seen = []
    for step in (6 - NS, NS, 1 - NS, NS, 1, 1, 1, 1):
        clock.advance(step)
        await spin()
        seen.append(len(passed))
    # At 6 s two of 5; at 7 s the third, beside which 30 do not fit; at 8 s the 30, and 10 three slots later.
    assert (seen, passed) == ([0, 2, 2, 3, 4, 4, 4, 5], [0, 1, 2, 3, 4])
    await asyncio.gather(*tasks)


async def test_slots_without_an_amount_start_one_in_a_slot(clock):
    """What they will use is not known, and all of them would start at once."""
    limiter, passed = of(600, clock), []
    limiter.observe({"retry-after": "6"}, 429)

    async def call():
        await limiter.acquire_slot()
        passed.append(None)

    tasks = [asyncio.create_task(call()) for _ in range(4)]
    await spin()
    seen = []
    for step in (6, 1, 1, 1):
        clock.advance(step)
        await spin()
        seen.append(len(passed))
    assert seen == [1, 2, 3, 4]
    await asyncio.gather(*tasks)


def test_it_ends_after_one_window(clock):
    """Then the limiter is back to normal."""
    limiter = of(600, clock)
    limiter.observe({"retry-after": "6"}, 429)
    clock.advance(65.9)
    limiter.reserve(10).commit(0)
    assert refusal_of(lambda: limiter.reserve(1)).retry_after == pytest.approx(0.1)
    clock.advance(0.1)
    limiter.reserve(600).release()


def test_another_429_begins_it_anew(clock):
    """From the end of its own wait on."""
    limiter = of(600, clock)
    limiter.observe({"retry-after": "6"}, 429)
    clock.advance(60)
    limiter.observe({"retry-after": "10"}, 429)
    clock.advance(20)
    limiter.reserve(10).commit(0)
    assert refusal_of(lambda: limiter.reserve(1)).retry_after == pytest.approx(1)


def test_a_guard_paces_requests_and_tokens_of_the_model_alone(clock):
    """The limit of requests has slots too: of 120 a minute, two start in a slot."""
    rule = {"name": "a", "requests_per_minute": 120, "tokens_per_minute": 60_000, "adaptive": "headers"}
    guard = Guard({"limiter": [rule]}, clock=clock)
    guard.observe({"retry-after": "5"}, 429, model="m")
    clock.advance(5)
    for _ in range(2):
        guard.reserve(400, model="m").commit()
    assert refusal_of(lambda: guard.reserve(100, model="m")).retry_after == pytest.approx(1)
    for _ in range(20):
        guard.reserve(400, model="other").commit()
