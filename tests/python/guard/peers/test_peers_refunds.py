"""Defects of other systems in what comes back: twice, to the wrong window, below zero, or never."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from test_peers import figures, guard_of, passes
from test_peers_asked import ASKED, client_of

from outlay import (
    LLM_MESSAGE_SCHEMA,
    BudgetExceeded,
    Guard,
    InvalidAmount,
    LeaseFinalized,
    ManualClock,
    Usage,
    UsageEstimate,
)
from outlay.testing import ProviderServer, Reply

jsonschema = pytest.importorskip("jsonschema")


@pytest.mark.parametrize("end", ["release", "close", "expire"])
def test_a_refund_is_paid_once(end):
    """Elsewhere each call of `refund` pays again."""
    clock = ManualClock()
    guard = guard_of({"tokens": 100}, clock=clock)
    guard.reserve(50).commit(50)
    lease = guard.reserve(50, ttl=60)
    if end == "expire":
        clock.advance(60)
        lease.commit(10)
    else:
        getattr(lease, end)()
    left = 40 if end == "expire" else 50
    for again in (lease.release, lease.close, lambda: lease.commit(0)):
        with contextlib.suppress(LeaseFinalized):
            again()
        assert figures(guard) == (100 - left, 0)
    assert passes(guard.reserve, left + 1) is None


def test_a_part_gives_back_what_is_left_once():
    guard = guard_of({"tokens": 100})
    other, part = guard.allot(tokens=40), guard.allot(tokens=50)
    part.reserve(20).commit(20)
    for _ in range(3):
        part.close()
    assert figures(guard) == (20, 40)
    other.close()
    assert figures(guard) == (20, 0)


def test_a_refund_goes_into_no_other_window():
    """Elsewhere a call of yesterday that used less makes today's limit larger."""
    clock = ManualClock()
    guard = guard_of({"tokens": 100}, window="calendar:day", clock=clock)
    lease = guard.reserve(90, ttl=7 * 86_400)
    clock.advance(86_400)
    guard.reserve(30).commit(30)
    lease.commit(10)
    assert figures(guard) == (30, 0)
    assert passes(guard.reserve, 71) is None


def test_no_counter_steps_below_zero():
    """Elsewhere what comes back after the window has ended wraps the counter: nothing is refused any more."""
    clock = ManualClock()
    guard = guard_of({"tokens": 100, "calls": 1}, window="fixed:1h", clock=clock)
    for end in ("commit", "release"):
        lease = guard.reserve(100, ttl=86_400)
        clock.advance(3_600)
        assert figures(guard) == (0, 0)
        getattr(lease, end)()
        assert figures(guard) == (0, 0)
        assert passes(guard.reserve, 101) is None


def test_an_estimate_that_was_too_high_comes_back():
    """Elsewhere only what was used above the estimate is booked, and the rest of it is lost."""
    guard = guard_of({"tokens": 100})
    for _ in range(10):
        guard.reserve(91).commit(1)
    assert figures(guard) == (10, 0)


def test_a_negative_usage_pays_nothing_back():
    """Elsewhere a negative cost is taken for a refund, or for nothing."""
    for bad in ({"cost_micros_usd": -1}, {"output_tokens": -1}):
        with pytest.raises(InvalidAmount):
            Usage(**bad)
    guard = guard_of({"tokens": 10_000})
    told = {"prompt_tokens": -5_000, "completion_tokens": 1, "total_tokens": -4_999}
    with ProviderServer([Reply(text="Hi.", usage=told)]) as server:
        client_of(server, guard).chat.completions.create(**ASKED)
    # The estimate: the bytes of the prompt by three, 4 for the message, 1,024 for the output.
    assert figures(guard) == (1_030, 0)


@pytest.mark.parametrize("text", ['a"b', "a\\", "a\nb", "{}", "\u2028", "x" * 1_024])
def test_no_label_breaks_the_json(text):
    """Elsewhere a quote in an id makes JSON that nobody can read."""
    guard = Guard(
        {"budget": [{"name": text[:100], "scope": {"agent": "*", "team": "*"}, "limit": {"tokens": 1}}]}
    )
    with pytest.raises(BudgetExceeded) as refused:
        guard.reserve(2, agent=text, team=text)
    told = str(refused.value)
    assert len(told.encode()) <= 1_024
    assert "\n" not in told
    jsonschema.validate(json.loads(told), LLM_MESSAGE_SCHEMA)
    assert refused.value.agent_id == text


async def test_whoever_waits_blocks_nobody_else():
    """Elsewhere the one who waits sleeps with the lock in hand, and all others with it."""
    clock = ManualClock()
    rate = {"scope": {"model": "*"}, "tokens_per_minute": 100, "on_limit": {"wait": "1h"}}
    guard = Guard({"limiter": [{"name": "tpm", **rate}]}, clock=clock)
    guard.reserve(100, model="busy").commit(100)
    waiting = asyncio.create_task(guard.reserve_wait(100, model="busy"))
    await asyncio.sleep(0)
    guard.reserve(100, model="free").commit(100)
    (await guard.reserve_wait(0, model="other")).commit(0)
    assert not waiting.done()
    clock.advance(62)
    (await waiting).commit(UsageEstimate(input_tokens=100).total_tokens)
