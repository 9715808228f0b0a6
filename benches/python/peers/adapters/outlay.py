"""The calls of outlay that stand beside those of the peers."""

from __future__ import annotations

import outlay

from ..case import AROUND, AWAIT, BOOK, DAY, REFUSED, Agent, Call, Case, Crowd, Made, is_none

PACKAGE = "outlay"

TRY_CONSUME, CONSUME = "AgentTokenBudget.try_consume", "AgentTokenBudget.consume"
MANAGER, SLIDING = "BudgetManager.reserve", "RateLimiter.try_acquire + record_usage"
WITH, LEASE = "with SharedPool.reserve: commit", "SharedPool.reserve + commit"
TOKENS = "SharedPool.reserve(100) + commit(98)"
REFUSED_TRY, REFUSED_RAISED = "refused try_consume", "refused consume, raised"
REFUSED_TEXT, REFUSED_LEASE = "refused consume, raised, str(exc)", "refused SharedPool.reserve, raised"
SLOT, WAIT = "await acquire_slot(1) + record_usage(1)", "(await reserve_wait(1)).commit(1)"
ASYNC_WITH = "async with await reserve_wait(1): commit(1)"


def try_consume(limit: int) -> Made:
    budget = outlay.AgentTokenBudget.daily("agent-1", limit)

    def loop(calls: int) -> bool | None:
        answer = None
        for _ in range(calls):
            answer = budget.try_consume("query", 1)
        return answer

    return Made(loop)


def consume(limit: int) -> Made:
    budget = outlay.AgentTokenBudget.daily("agent-1", limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            budget.consume("query", 1)

    return Made(loop)


def manager(limit: int) -> Made:
    agents = outlay.BudgetManager()
    agents.set_budget(
        outlay.BudgetLimit(agent_id="agent-1", token_budget=limit, calls_budget=None, window_secs=DAY)
    )

    def loop(calls: int) -> None:
        for _ in range(calls):
            agents.reserve("agent-1", 1)

    return Made(loop)


def sliding(limit: int) -> Made:
    limiter = outlay.RateLimiter.per(limit, DAY, threshold=1.0)

    def loop(calls: int) -> bool:
        answer = False
        for _ in range(calls):
            answer = limiter.try_acquire(1)
            if answer:
                limiter.record_usage(1)
        return answer

    return Made(loop)


def with_lease(limit: int) -> Made:
    pool = outlay.SharedPool(capacity_tokens=100 * limit, capacity_cost_micros_usd=5 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
            with pool.reserve(estimate) as lease:
                lease.commit(outlay.Usage(input_tokens=90, output_tokens=8, cost_micros_usd=4))

    return Made(loop)


def lease(limit: int) -> Made:
    pool = outlay.SharedPool(capacity_tokens=100 * limit, capacity_cost_micros_usd=5 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
            lease = pool.reserve(estimate)
            lease.commit(outlay.Usage(input_tokens=90, output_tokens=8, cost_micros_usd=4))

    return Made(loop)


def tokens(limit: int) -> Made:
    pool = outlay.SharedPool(capacity_tokens=100 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            pool.reserve(100).commit(98)

    return Made(loop)


def refused_consume(limit: int, text: bool = False) -> Made:
    budget = outlay.AgentTokenBudget.daily("agent-1", limit)
    refusal = outlay.BudgetExceeded

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                budget.consume("query", 1)
            except refusal as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


def refused_lease(limit: int) -> Made:
    pool = outlay.SharedPool(capacity_tokens=100 * limit, capacity_cost_micros_usd=5 * limit)
    refusal = outlay.ThresholdExceeded

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
            try:
                pool.reserve(estimate).commit()
            except refusal as exc:
                answer = exc
        return answer

    return Made(loop)


def acquire_slot(limit: int) -> Made:
    limiter = outlay.RateLimiter.per(limit, DAY, threshold=1.0)

    async def loop(calls: int) -> None:
        for _ in range(calls):
            await limiter.acquire_slot(1)
            limiter.record_usage(1)

    return Made(loop)


def reserve_wait(limit: int) -> Made:
    limiter = outlay.RateLimiter.per(limit, DAY)

    async def loop(calls: int) -> None:
        for _ in range(calls):
            (await limiter.reserve_wait(1)).commit(1)

    return Made(loop)


def async_with(limit: int) -> Made:
    limiter = outlay.RateLimiter.per(limit, DAY)

    async def loop(calls: int) -> None:
        for _ in range(calls):
            async with await limiter.reserve_wait(1) as lease:
                lease.commit(1)

    return Made(loop)


EXCEEDED, FULL = (outlay.BudgetExceeded,), (outlay.ThresholdExceeded,)
ONE, KEYED = "one budget; fixed window, warning mark", "budget found by id; fixed window"
TWO_LIMITS = "holds tokens and money, books what was used; estimate and usage are made for the call"
CASES = [
    Case(BOOK, TRY_CONSUME, ONE, try_consume, TRY_CONSUME, threads=True),
    Case(BOOK, CONSUME, f"{ONE}; raises", consume, CONSUME, is_none, EXCEEDED, threads=True),
    Case(BOOK, MANAGER, f"{KEYED}; raises", manager, MANAGER, is_none, EXCEEDED, threads=True),
    Case(
        BOOK,
        SLIDING,
        "exact sliding window without a log; holds, then books: two calls",
        sliding,
        SLIDING,
        threads=True,
    ),
    Case(AROUND, WITH, TWO_LIMITS, with_lease, WITH, is_none, FULL),
    Case(AROUND, LEASE, TWO_LIMITS, lease, LEASE, is_none, FULL),
    Case(AROUND, TOKENS, "the same, tokens alone, as plain numbers", tokens, TOKENS, is_none, FULL),
    Case(REFUSED, REFUSED_TRY, "answers False", try_consume, REFUSED_TRY),
    Case(
        REFUSED,
        REFUSED_RAISED,
        "raises an error with its figures; no text yet",
        refused_consume,
        REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        REFUSED_TEXT,
        "the same; the JSON for the model is written when it is read",
        lambda limit: refused_consume(limit, text=True),
        REFUSED_TEXT,
        is_none,
    ),
    Case(
        REFUSED,
        REFUSED_LEASE,
        "two limits, estimate made for the call; raises",
        refused_lease,
        REFUSED_LEASE,
        is_none,
    ),
    Case(AWAIT, SLOT, "sliding window, first in, first out; holds, then books", acquire_slot, SLOT, is_none),
    Case(AWAIT, WAIT, "the same by a lease", reserve_wait, WAIT, is_none),
    Case(AWAIT, ASYNC_WITH, "the same by a lease in a block", async_with, ASYNC_WITH, is_none),
]


def pool_agents(limit: int) -> Agent:
    pool = outlay.SharedPool(capacity_tokens=100 * limit)

    async def agent(call: Call) -> None:
        with pool.reserve(100) as lease:
            await call()
            lease.commit(100)

    return agent


def guard_agents(limit: int) -> Agent:
    guard = outlay.Guard({"budget": [{"name": "calls", "limit": {"calls": limit}}]})

    async def agent(call: Call) -> None:
        with guard.reserve(100, agent="a-1") as lease:
            await call()
            lease.commit(100)

    return agent


def budget_agents(limit: int) -> Agent:
    budget = outlay.AgentTokenBudget.daily("agent-1", limit)

    async def agent(call: Call) -> None:
        budget.consume("query", 1)
        await call()

    return agent


CROWDS = [
    Crowd("SharedPool.reserve, commit", "holds the estimate of each call", pool_agents, FULL),
    Crowd("Guard.reserve, commit", "holds the estimate of each call", guard_agents, EXCEEDED),
    Crowd("AgentTokenBudget.consume", "books each call before it", budget_agents, EXCEEDED),
]
