"""Limiters: rates per window, waiting in tasks and threads, what a provider says of itself."""

from __future__ import annotations

import asyncio
import threading

import pytest
from face_support import ran_clean
from guard_support import figures, new_guard, refused, spend, usage

from outlay import Guard, PolicyError, RateLimitExceeded, WaitTimeout


def limiter(**more):
    """Return a policy of one limiter."""
    return {"limiter": [{"name": "l", **more}]}


@pytest.mark.parametrize(
    ("period", "seconds"), [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)]
)
def test_a_rate_is_kept_in_each_period(clock, period, seconds):
    """Full until the first use leaves the window."""
    guard = new_guard(clock, limiter(**{f"requests_per_{period}": 2}))
    spend(guard)
    spend(guard)
    denied = refused(guard.reserve)
    assert isinstance(denied, RateLimitExceeded)
    assert denied.retryable
    assert 0 < denied.retry_after <= seconds * 1.02
    clock.advance(denied.retry_after)
    spend(guard)


def test_all_rates_of_a_limiter_hold(clock):
    """Input, output and all tokens, requests; in several periods."""
    guard = new_guard(
        clock,
        limiter(
            input_tokens_per_minute=100, output_tokens_per_minute=50, requests_per_hour=3, tokens_per_day=140
        ),
    )
    from outlay import UsageEstimate

    spend(guard, usage(90))
    refused(guard.reserve, UsageEstimate(input_tokens=11))
    spend(guard, UsageEstimate(output_tokens=50))
    refused(guard.reserve, UsageEstimate(output_tokens=1))
    clock.advance(62)
    refused(guard.reserve, usage(1))
    clock.advance(86400 * 1.02)
    spend(guard, usage(1))


async def test_tasks_wait_until_the_window_has_room(clock):
    """In their order."""
    guard = new_guard(clock, limiter(requests_per_minute=1, on_limit={"wait": "10m"}))
    spend(guard)
    order = []

    async def one(number):
        lease = await guard.reserve_wait(model="m")
        order.append(number)
        lease.commit()

    tasks = [asyncio.ensure_future(one(number)) for number in range(3)]
    for number in range(3):
        await asyncio.sleep(0)
        clock.advance(62)
        await asyncio.wait_for(tasks[number], 30)
    assert order == [0, 1, 2]


async def test_a_wait_ends_after_the_shortest_time_of_those_that_match(clock):
    """With what it waited for."""
    policy = {
        "limiter": [
            {"name": "a", "requests_per_hour": 1, "on_limit": {"wait": "30s"}},
            {"name": "b", "requests_per_hour": 9, "on_limit": {"wait": "10s"}},
        ]
    }
    guard = new_guard(clock, policy)
    spend(guard)
    task = asyncio.ensure_future(guard.reserve_wait())
    await asyncio.sleep(0)
    clock.advance(11)
    with pytest.raises(WaitTimeout) as caught:
        await asyncio.wait_for(task, 30)
    assert caught.value.scope == {"limiter": "a"}


def test_a_thread_waits_for_a_clock_that_is_moved_by_hand(clock):
    """And goes on when there is room."""
    guard = new_guard(clock, limiter(requests_per_minute=1, on_limit={"wait": "10m"}))
    spend(guard)
    done = threading.Event()

    def work():
        guard.reserve_blocking(3).commit(3)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(1000):
        clock.advance(1)
        if done.wait(0.001):
            break
    thread.join(30)
    assert done.is_set()
    assert figures(guard, "l", "calls")[0] >= 1


@pytest.mark.parametrize("face", ["reserve_wait", "reserve_blocking"])
def test_deny_refuses_at_once(clock, face):
    """Whichever face is asked."""
    guard = new_guard(clock, limiter(requests_per_minute=1, on_limit="deny"))
    spend(guard)
    with pytest.raises(RateLimitExceeded):
        if face == "reserve_wait":
            asyncio.run(guard.reserve_wait())
        else:
            guard.reserve_blocking()


def test_reserve_never_waits(clock):
    """Even where the policy would let it."""
    guard = new_guard(clock, limiter(requests_per_minute=1, on_limit={"wait": "10m"}))
    spend(guard)
    refused(guard.reserve)
    assert guard.explain()[0]["wait"] == 600.0


def test_a_provider_lowers_the_limit_by_its_headers(clock):
    """Of the limiters that are adaptive and match; never raises it."""
    policy = {
        "limiter": [
            {"name": "a", "scope": {"model": "openai:*"}, "tokens_per_minute": 1000, "adaptive": "headers"},
            {"name": "f", "tokens_per_minute": 1000},
        ]
    }
    guard = new_guard(clock, policy)
    labels = {"model": "gpt", "provider": "openai"}
    spend(guard, 10, **labels)
    headers = {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "100",
        "x-ratelimit-reset-tokens": "30s",
    }
    guard.observe(headers, 200, **labels)
    assert refused(guard.reserve, 101, **labels).scope == {"limiter": "a"}
    guard.reserve(100, **labels).release()
    spend(guard, 500, model="x")
    raised = {**headers, "x-ratelimit-limit-tokens": "100000", "x-ratelimit-remaining-tokens": "100000"}
    clock.advance(120)
    guard.observe(raised, 200, **labels)
    refused(guard.reserve, 1001, **labels)


@pytest.mark.parametrize(("headers", "status"), [(5, 200), ({}, "x"), ({}, -1), ({}, 10**9)])
def test_what_is_no_response_is_refused(clock, headers, status):
    """By name."""
    with pytest.raises((PolicyError, TypeError, ValueError)):
        new_guard(clock, limiter(requests_per_minute=1, adaptive="headers")).observe(headers, status)


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"x-ratelimit-remaining-tokens": "-5"}, []])
def test_headers_that_say_nothing_change_nothing(clock, headers):
    """Neither do those that are nonsense."""
    guard = new_guard(clock, limiter(tokens_per_minute=10, adaptive="headers"))
    guard.observe(headers, 200)
    spend(guard, 10)


TWICE = """
from outlay import Guard, LimitExceeded, PolicyError
two = [{"name": "l", "tokens_per_minute": 1000}, {"name": "l", "requests_per_minute": 1}]
try:
    guard = Guard({"limiter": two})
    guard.reserve(1, agent="a").commit(1)
    guard.update({"limiter": two})
    guard.reserve(1, agent="a")
except (LimitExceeded, PolicyError):
    pass
else:
    raise AssertionError("the second limiter limits nothing")
"""


def test_two_limiters_of_one_name_are_refused_or_both_hold():
    """They neither hang nor forget one of the two."""
    ran_clean(TWICE, seconds=5)


def test_a_limiter_of_each_agent(clock):
    """One counter per value."""
    guard = Guard(limiter(scope={"agent": "*"}, requests_per_minute=1), clock=clock)
    spend(guard, agent="a")
    spend(guard, agent="b")
    assert refused(guard.reserve, agent="a").scope["agent"] == "a"
