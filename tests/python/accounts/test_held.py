"""Held is not spent: a refusal says whether it would pass once calls under way have ended."""

from __future__ import annotations

import json
import pickle

import jsonschema
import pytest

from outlay import (
    LLM_MESSAGE_SCHEMA,
    AgentTokenBudget,
    BudgetLimit,
    BudgetManager,
    Guard,
    LimitExceeded,
    RateLimiter,
    SharedPool,
    WaitTimeout,
)
from outlay.testing import ManualClock

DAY = {"budget": [{"name": "b", "limit": {"tokens": 100}, "window": "calendar:day"}]}


def agent(clock):
    manager = BudgetManager(clock=clock)
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=100, calls_budget=None, window_secs=86_400))
    return manager.agent("a").reserve


FACES = {
    "guard": lambda clock: Guard(DAY, clock=clock).reserve,
    "part": lambda clock: Guard(DAY, clock=clock).allot(tokens=100).reserve,
    "pool": lambda clock: SharedPool(capacity_tokens=120, stop_threshold_tokens=20, clock=clock).reserve,
    "agent": agent,
    "limiter": lambda clock: RateLimiter(100, clock=clock).reserve,
    "tokens": lambda clock: (lambda budget: lambda n, **more: budget.reserve("query", n, **more))(
        AgentTokenBudget.daily("a", 100, clock=clock)
    ),
}


@pytest.fixture(params=FACES)
def reserve(request):
    return FACES[request.param](ManualClock())


def refusal(reserve, tokens):
    with pytest.raises(LimitExceeded) as caught:
        reserve(tokens)
    payload = json.loads(caught.value.to_llm_message())
    jsonschema.validate(payload, LLM_MESSAGE_SCHEMA)
    assert pickle.loads(pickle.dumps(caught.value)).payload == payload
    return payload


def test_u12_what_is_only_held_says_so(reserve):
    """And when the lease in its way runs out; it may end at any time."""
    lease = reserve(80, ttl=30)
    held = refusal(reserve, 50)
    assert (held["details"]["reason"], held["details"].get("used", 0)) == ("held", 0)
    assert (held["retryable"], held["retry_after_seconds"]) == (True, 30)
    assert "under way" in held["suggestion"]
    lease.release()
    reserve(50).release()


def test_u12_what_is_spent_says_nothing_of_it(reserve):
    reserve(80).commit(80)
    spent = refusal(reserve, 50)
    assert "reason" not in spent["details"]
    assert spent["retryable"] is (spent["error"] == "rate_limit_exceeded")


def test_u12_what_can_never_fit_is_to_ask_for_less(reserve):
    lease = reserve(80, ttl=30)
    never = refusal(reserve, 101)
    assert (never["retryable"], never["retry_after_seconds"]) == (False, None)
    assert "Ask for less" in never["suggestion"]
    assert "reason" not in never["details"]
    lease.release()


def test_where_only_several_ends_make_room_it_is_the_last_of_them(reserve):
    leases = [reserve(40, ttl=10), reserve(40, ttl=20)]
    assert [refusal(reserve, n)["retry_after_seconds"] for n in (60, 61)] == [10, 20]
    for lease in leases:
        lease.release()


def test_what_is_held_here_and_spent_there_is_not_held():
    guard = Guard({"budget": [*DAY["budget"], {"name": "calls", "limit": {"calls": 1}}]}, clock=ManualClock())
    guard.reserve(0).commit()
    with guard.allot(tokens=80):
        payload = refusal(guard.reserve, 50)
        assert ("reason" in payload["details"], payload["retryable"]) == (False, False)


def test_a_wait_that_is_over_says_that_it_waited_for_calls_under_way():
    clock = ManualClock()
    limiter, pool = RateLimiter(100, clock=clock), SharedPool(capacity_tokens=100, clock=clock)
    for budget in (limiter, pool):
        lease = budget.reserve(80, ttl=30)
        with pytest.raises(WaitTimeout) as late:
            budget.reserve_blocking(50, timeout=0)
        payload = late.value.payload
        assert (payload["details"]["reason"], payload["retry_after_seconds"]) == ("held", 30)
        lease.release()
    limiter.reserve(80).commit(80)
    with pytest.raises(WaitTimeout) as late:
        limiter.reserve_blocking(50, timeout=0)
    assert "reason" not in late.value.payload["details"]


def test_where_nothing_is_allowed_no_window_is_advised():
    """The next window allows as little."""
    day = {"name": "b", "limit": {"tokens": 0}, "window": "calendar:day"}
    never = refusal(Guard({"budget": [day]}, clock=ManualClock()).reserve, 1)
    assert (never["retryable"], never["retry_after_seconds"]) == (False, None)
    assert "reset" not in never["suggestion"]
    assert never["suggestion"].startswith("Finish with what you have")


def test_a_part_that_never_runs_out_holds_for_ever():
    guard = Guard({"budget": [{"name": "b", "limit": {"tokens": 100}}]}, clock=ManualClock())
    with guard.allot(tokens=80):
        payload = refusal(guard.reserve, 50)
        assert (payload["retryable"], payload["retry_after_seconds"]) == (True, None)
