"""Helpers of the tests of RateLimiter.observe: headers as providers send them, and what they leave."""

from __future__ import annotations

import asyncio

import pytest
from face_support import refusal_of

from outlay import RateLimiter

NS = 1e-9
NEVER = float("inf")


def of(limit, clock, **keywords):
    """Return a limiter whose slots are given out up to its full limit."""
    return RateLimiter(limit, clock=clock, threshold=keywords.pop("threshold", 1), **keywords)


def openai(**fields):
    """Return headers such as OpenAI's: remaining_tokens=5 is x-ratelimit-remaining-tokens: 5."""
    return {f"x-ratelimit-{name.replace('_', '-')}": str(value) for name, value in fields.items()}


def anthropic(**fields):
    """Return headers such as Anthropic's: tokens_remaining=5 is anthropic-ratelimit-tokens-remaining: 5."""
    return {f"anthropic-ratelimit-{name.replace('_', '-')}": str(value) for name, value in fields.items()}


def room(limiter):
    """Return the most tokens that a reservation may hold now, -1 where not even 0."""
    low, high = -1, limiter.limit
    while low < high:
        middle = (low + high + 1) // 2
        refused = refusal_of(lambda n=middle: limiter.reserve(n).release())
        low, high = (low, middle - 1) if refused else (middle, high)
    return low


def opens_after(limiter, clock, seconds):
    """Whether the limiter stays shut for exactly so long; it is open afterwards."""
    if limiter.try_acquire() or limiter.retry_after() != pytest.approx(seconds, abs=NS / 2):
        return False
    clock.advance(seconds - NS)
    if limiter.try_acquire():
        return False
    clock.advance(NS)
    return limiter.try_acquire()


async def spin():
    """Let all tasks run that can."""
    for _ in range(8):
        await asyncio.sleep(0)
