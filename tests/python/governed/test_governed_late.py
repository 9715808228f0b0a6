"""Calls that a governed function has started and left: what they use is booked once, and never lost."""

from __future__ import annotations

import asyncio
import threading

import pytest

from outlay import (
    AgentTokenBudget,
    BudgetLimit,
    BudgetManager,
    Guard,
    SharedPool,
    Usage,
    WorkflowQuota,
    governed,
)

POLICY = {"budget": [{"name": "all", "limit": {"tokens": 100_000}}]}


class Own:
    """A user's own budget over a pool."""

    def __init__(self):
        self.pool = SharedPool()

    def reserve(self, estimate, **labels):
        """Let the pool decide."""
        return self.pool.reserve(estimate)


def _accounts():
    manager = BudgetManager()
    limit = BudgetLimit(agent_id="a", token_budget=100_000, calls_budget=None, window_secs=None)
    manager.set_budget(limit)
    pool, agent, own = SharedPool(), AgentTokenBudget.daily("a", 100_000), Own()
    guard = Guard(POLICY)
    return {
        "pool": (pool, lambda: pool.committed().total_tokens),
        "own": (own, lambda: own.pool.committed().total_tokens),
        "tokens": (agent, agent.used),
        "agent": (manager.agent("a"), lambda: manager.full_info("a").tokens_used),
        "guard": (guard, lambda: guard.snapshot()[0]["limits"]["tokens"]["used"]),
    }


class Left:
    """A call in a task of its own that a governed function starts; it ends when it is let go."""

    def __init__(self, budget, used):
        self.gate = asyncio.Event()
        self.began = asyncio.Event()

        @governed(budget, estimate=10, usage=lambda _: used)
        async def call():
            self.began.set()
            await self.gate.wait()

        self.call = call

    async def start(self):
        """Start it."""
        self.task = asyncio.create_task(self.call())
        await self.began.wait()

    async def end(self):
        """Let it end."""
        self.gate.set()
        await self.task


@pytest.mark.parametrize("kind", _accounts())
@pytest.mark.parametrize(("used", "expected"), [(700, 1_000), (1_500, 1_500)])
async def test_a_call_that_was_left_uses_up_the_estimate_and_is_booked_beyond_it(kind, used, expected):
    """The function booked its estimate of 1,000 and knew nothing of what was still under way."""
    budget, booked = _accounts()[kind]
    left = Left(budget, used)

    @governed(budget, estimate=1_000)
    async def outer():
        await left.start()

    await outer()
    assert booked() == 1_000
    await left.end()
    assert booked() == expected


@pytest.mark.parametrize("kind", _accounts())
async def test_a_call_that_was_left_is_booked_in_full_where_the_function_told_its_use(kind):
    """What it told was the use of what had ended."""
    budget, booked = _accounts()[kind]
    left = Left(budget, 700)

    @governed(budget, estimate=1_000, usage=lambda _: 40)
    async def outer():
        await left.start()

    await outer()
    await left.end()
    assert booked() == 740


async def test_two_calls_that_were_left_share_what_was_spare():
    """The estimate pays for 1,000 of their tokens, once."""
    pool = SharedPool()
    calls = [Left(pool, 700), Left(pool, 700)]

    @governed(pool, estimate=1_000)
    async def outer():
        for call in calls:
            await call.start()

    await outer()
    for call in calls:
        await call.end()
    assert pool.committed().total_tokens == 1_400


async def test_a_thread_that_goes_on_after_its_task_was_cancelled_is_booked():
    """A timeout ends the await and not the thread, whose request is answered and billed."""
    pool, began, gate = SharedPool(), threading.Event(), threading.Event()

    @governed(pool, estimate=10, usage=lambda _: 5_000)
    def request():
        began.set()
        assert gate.wait(30)

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def in_thread():
        request()
        loop.call_soon_threadsafe(ended.set)

    @governed(pool, estimate=100)
    async def outer():
        await asyncio.to_thread(in_thread)

    task = asyncio.create_task(outer())
    await asyncio.to_thread(began.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.committed().total_tokens == 100
    gate.set()
    await ended.wait()
    assert pool.committed().total_tokens == 5_000


async def test_a_call_that_ends_in_time_is_not_booked_twice():
    """The function pays for it, as for any call inside."""
    pool, step = SharedPool(), WorkflowQuota.hourly(1, 9).begin_workflow("w")
    left = Left([pool, step], 700)

    @governed([pool, step], estimate=1_000, usage=lambda _: 900)
    async def outer():
        await left.start()
        await left.end()

    await outer()
    assert pool.committed() == Usage(total_tokens=900)
    assert step.steps_executed() == 1


async def test_a_step_is_counted_as_it_begins_and_not_as_it_ends():
    """A workflow counted the function, whose call this was."""
    step = WorkflowQuota.hourly(1, 9).begin_workflow("w")
    left = Left(step, 700)

    @governed(step, estimate=5)
    async def outer():
        await left.start()

    await outer()
    await left.end()
    assert step.steps_executed() == 1


async def test_a_budget_of_its_own_is_not_booked_again():
    """Only what was left to the function is late: the call has paid for the rest itself."""
    pool, other = SharedPool(), SharedPool()
    left = Left([other, pool], 700)

    @governed(pool, estimate=10, usage=lambda _: 1)
    async def outer():
        await left.start()

    await outer()
    await left.end()
    assert (pool.committed().total_tokens, other.committed().total_tokens) == (701, 700)


async def test_a_late_call_that_fails_costs_nothing():
    """It ends as a call by itself would."""
    pool, began, gate, tasks = SharedPool(), asyncio.Event(), asyncio.Event(), []

    @governed(pool, estimate=700)
    async def request():
        began.set()
        await gate.wait()
        raise ConnectionError

    @governed(pool, estimate=5)
    async def outer():
        tasks.append(asyncio.create_task(request()))
        await began.wait()

    await outer()
    gate.set()
    with pytest.raises(ConnectionError):
        await tasks[0]
    assert pool.committed().total_tokens == 5


async def test_what_is_spent_already_is_booked_in_a_budget_in_debt_too(caplog):
    """Nothing refuses it: nothing that was spent is forgotten."""
    pool = SharedPool(capacity_tokens=100)
    left = Left(pool, 700)

    @governed(pool, estimate=100, usage=lambda _: 200)
    async def outer():
        await left.start()

    await outer()
    await left.end()
    assert pool.committed().total_tokens == 200 + 700
    assert pool.reserved().total_tokens == 0
    assert caplog.text == ""


@pytest.mark.parametrize("stays", [True, False])
def test_a_late_call_is_booked_by_the_labels_it_was_asked_with(stays):
    """Also where the scope around it is over by then, and its label is required."""
    each = {"name": "u", "scope": {"user": "*"}, "limit": {"tokens": 1_000}}
    guard = Guard({"defaults": {"require": ["user"]}, "budget": [each]})

    @governed(guard, estimate=5, usage=lambda _: 500)
    def inner():
        yield 1
        yield 2

    @governed(guard, estimate=10, usage=lambda _: 10)
    def outer():
        items = inner()
        next(items)
        return items

    with guard.scope(user="ann"):
        items = outer()
        if stays:
            list(items)
    list(items)
    (counter,) = guard.snapshot()
    assert (counter["values"], counter["limits"]["tokens"]["used"]) == ({"user": "ann"}, 510)
