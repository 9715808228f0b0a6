"""A wrapped model that may wait: calls that do not fit now go through in their turn, without a retry."""

from __future__ import annotations

import asyncio
import threading

import pytest

import outlay
from outlay.testing import ManualClock

pytest.importorskip("langchain")

from outlay.langchain import wrap
from outlay.testing import ScriptedChatModel

OUTPUT = 50


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def guarded(limiter, *others, wait=120, answers=20):
    model = ScriptedChatModel(script=["Hi."] * answers)
    return wrap(model, [limiter, *others], output_tokens=OUTPUT, wait=wait)


async def turns(tasks):
    """Let the event loop run until nothing more happens."""
    for _ in range(20):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_calls_wait_for_the_window_and_go_through_in_order(clock):
    limiter = outlay.RateLimiter(100, clock=clock)
    model = guarded(limiter)
    limiter.record_usage(100)
    tasks = [asyncio.create_task(model.ainvoke("Hello")) for _ in range(2)]
    assert await turns(tasks) == [False, False]
    clock.advance(61)
    # One estimate of about 55 tokens fits beside what the first call really used.
    assert await turns(tasks) == [True, True]
    assert limiter.current_usage() == 2 * (2 + 3 + 1)
    assert limiter.retry_after() == 0


async def test_without_wait_the_refusal_comes_at_once(clock):
    limiter = outlay.RateLimiter(100, clock=clock)
    limiter.record_usage(100)
    with pytest.raises(outlay.RateLimitExceeded) as refused:
        await guarded(limiter, wait=None).ainvoke("Hello")
    assert refused.value.retryable


async def test_a_wait_that_takes_too_long_is_refused_and_leaves_nothing(clock):
    limiter = outlay.RateLimiter(100, clock=clock)
    pool = outlay.SharedPool(capacity_tokens=1_000, clock=clock)
    limiter.record_usage(100)
    task = asyncio.create_task(guarded(limiter, pool, wait=5).ainvoke("Hello"))
    assert await turns([task]) == [False]
    clock.advance(5)
    with pytest.raises(outlay.WaitTimeout):
        await task
    assert pool.reserved().total_tokens == 0


async def test_a_budget_that_is_spent_is_not_waited_for(clock):
    limiter = outlay.RateLimiter(10_000, clock=clock)
    budget = outlay.AgentTokenBudget.daily("a-1", 10, clock=clock)
    with pytest.raises(outlay.BudgetExceeded):
        await guarded(limiter, budget).ainvoke("Hello")
    assert limiter.retry_after() == 0


async def test_a_cancelled_call_leaves_its_place(clock):
    limiter = outlay.RateLimiter(100, clock=clock)
    model = guarded(limiter)
    limiter.record_usage(100)
    first, second = (asyncio.create_task(model.ainvoke("Hello")) for _ in range(2))
    await turns([first, second])
    first.cancel()
    clock.advance(61)
    assert await turns([first, second]) == [True, True]
    assert first.cancelled()
    assert second.result().content == "Hi."


async def test_streams_wait_too(clock):
    limiter = outlay.RateLimiter(100, clock=clock)
    model = guarded(limiter)
    limiter.record_usage(100)

    async def stream():
        return "".join([chunk.content async for chunk in model.astream("Hello")])

    task = asyncio.create_task(stream())
    assert await turns([task]) == [False]
    clock.advance(61)
    await turns([task])
    assert task.result() == "Hi."


def test_a_thread_waits_for_a_lease_that_another_one_ends():
    pool = outlay.SharedPool(capacity_tokens=100)
    model = wrap(ScriptedChatModel(script=["Hi."]), pool, output_tokens=OUTPUT, wait=60)
    held = pool.reserve(90)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(model.invoke("Hello").content))
    thread.start()
    # Somebody who does not wait is refused whether the thread has queued yet or not.
    with pytest.raises(outlay.ThresholdExceeded):
        pool.reserve(90)
    held.release()
    thread.join(timeout=30)
    assert answers == ["Hi."]


@pytest.mark.parametrize("wait", [-1, float("nan"), float("inf"), True, "5", [1]])
def test_a_wait_that_is_no_time_is_named(wait):
    with pytest.raises(outlay.PolicyError, match="wait"):
        guarded(outlay.RateLimiter(100), wait=wait)


def nearly_spent(kind, clock):
    """Return a budget that has held more than a call needs, and has too little left for one."""
    if kind == "tokens":
        budget = outlay.AgentTokenBudget.daily("a-1", 1_000, clock=clock)
        budget.consume("query", 990)
        return budget
    if kind == "agent":
        manager = outlay.BudgetManager(clock=clock)
        limit = outlay.BudgetLimit(agent_id="a-1", token_budget=1_000, calls_budget=None, window_secs=60)
        manager.set_budget(limit)
        manager.agent("a-1").charge(990)
        return manager.agent("a-1")
    token = outlay.WorkflowQuota(1, 1, 60, clock=clock).begin_workflow("w-1")
    token.execute_step()
    return token


REFUSALS = {
    "tokens": outlay.BudgetExceeded,
    "agent": outlay.BudgetExceeded,
    "steps": outlay.StepLimitExceeded,
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_budgets_agents_and_workflows_are_not_waited_for(clock, kind):
    """What is spent comes back with the next window, or never: to wait for it would be to hang."""
    task = asyncio.create_task(guarded(nearly_spent(kind, clock), wait=1.0).ainvoke("Hello"))
    done = await turns([task])
    task.cancel()
    assert done == [True]
    with pytest.raises(REFUSALS[kind]) as refused:
        await task
    assert not isinstance(refused.value, outlay.WaitTimeout)


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_thread_does_not_wait_for_budgets_agents_and_workflows(clock, kind):
    raised = []

    def ask():
        try:
            guarded(nearly_spent(kind, clock), wait=1.0).invoke("Hello")
        except outlay.LimitExceeded as refusal:
            raised.append(refusal)

    # A daemon: a wait on a clock that stands still would never end.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10)
    assert [type(refusal).__mro__[1] for refusal in raised] == [REFUSALS[kind]]
