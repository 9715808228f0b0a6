"""One function for each class: it makes many, and says when a stage is reached.

A clock that is moved by hand ends the windows. What the functions keep in lists is part of what an object
takes, 8 bytes each; ids are of 16 bytes and not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import outlay

FRESH, CHARGED, LEASED, OVER = "fresh", "charged", "after a lease", "windows over"
MINUTE, DAY = 60, 86_400
ID = "agent-{:010}"
Stages = Callable[[int, outlay.ManualClock], Iterator[str]]


def token_budget(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    ids = map(ID.format, range(count))
    made = [outlay.AgentTokenBudget(agent, 1_000, MINUTE, clock=clock) for agent in ids]
    yield FRESH
    for one in made:
        one.consume("query", 1)
    yield CHARGED
    for one in made:
        one.reserve("query", 1).commit(1)
    yield LEASED
    clock.advance(DAY)
    for one in made:
        one.remaining()
    yield OVER


def manager(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    made = outlay.BudgetManager(clock=clock)
    limits = {"token_budget": 1_000, "calls_budget": 10, "window_secs": MINUTE}
    for number in range(count):
        made.set_budget(outlay.BudgetLimit(agent_id=ID.format(number), **limits))
    yield FRESH
    for number in range(count):
        made.reserve(ID.format(number), 1)
    yield CHARGED
    for number in range(count):
        made.agent(ID.format(number)).reserve(1).commit(1)
    yield LEASED
    clock.advance(DAY)
    for number in range(count):
        made.remaining(ID.format(number))
    yield OVER


def pool(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    made = [outlay.SharedPool(capacity_tokens=1_000, clock=clock) for _ in range(count)]
    yield FRESH
    for one in made:
        one.reserve(1).commit(1)
    yield LEASED
    clock.advance(DAY)
    for one in made:
        one.remaining()
    yield OVER


def open_lease(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    shared = outlay.SharedPool(capacity_tokens=1 << 60, clock=clock)
    held = [shared.reserve(1) for _ in range(count)]
    yield "open"
    for lease in held:
        lease.commit(1)
    yield "settled, handle kept"
    held.clear()
    yield "settled, dropped"


def lease_run_out(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    shared = outlay.SharedPool(capacity_tokens=1 << 60, clock=clock)
    held = [shared.reserve(1) for _ in range(count)]
    yield "open"
    clock.advance(DAY)
    shared.remaining()
    yield "run out, handle kept"
    held.clear()
    yield "run out, dropped"


def workflow(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    quota = outlay.WorkflowQuota(count + 1, 10, MINUTE, clock=clock)
    tokens = [quota.begin_workflow(ID.format(number)) for number in range(count)]
    yield FRESH
    for token in tokens:
        token.execute_step()
    yield CHARGED
    tokens.clear()
    yield "token dropped, not ended"
    clock.advance(DAY)
    quota.begin_workflow("another")
    yield OVER


def limiter(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    made = [outlay.RateLimiter(1_000, clock=clock) for _ in range(count)]
    yield FRESH
    for one in made:
        one.record_usage(1)
    yield CHARGED
    for one in made:
        one.reserve(1).commit(1)
    yield LEASED
    clock.advance(DAY)
    for one in made:
        one.try_acquire()
    yield OVER


def guarded(policy: dict, ask: str = "reserve") -> Stages:
    """Return the stages of a guard with one counter for each user: what a user leaves behind."""

    def stages(count: int, clock: outlay.ManualClock) -> Iterator[str]:
        guard, estimate = outlay.Guard(policy, clock=clock), outlay.UsageEstimate(total_tokens=10)
        if ask == "check":
            for number in range(count):
                guard.check(estimate, user=ID.format(number), model="gpt-x")
            yield "only checked"
        else:
            for number in range(count):
                guard.reserve(estimate, user=ID.format(number), model="gpt-x").commit(10)
            yield LEASED
        clock.advance(2 * DAY)
        guard.check(estimate, user="another", model="gpt-x")
        # Whoever looks at the counters forgets those that say nothing.
        guard.snapshot()
        yield OVER

    return stages


def allotment(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    policy = {"budget": [{"name": "all", "limit": {"tokens": 1 << 60}}]}
    guard = outlay.Guard(policy, clock=clock)
    parts = [guard.allot(tokens=10) for _ in range(count)]
    yield FRESH
    for part in parts:
        part.reserve(1).commit(1)
    yield LEASED
    for part in parts:
        part.close()
    yield "closed, handle kept"
    parts.clear()
    yield "closed, dropped"
    clock.advance(DAY)
    guard.reserve(1).commit(1)
    yield OVER


def allowances(count: int, clock: outlay.ManualClock) -> Iterator[str]:
    service = outlay.AllowanceService(clock=clock)
    for number in range(count):
        service.set_allowance(outlay.AgentAllowance(agent_id=ID.format(number), daily_token_limit=1_000))
    yield FRESH
    for number in range(count):
        with service.start_job(ID.format(number), f"job-{number}"):
            pass
    yield CHARGED
    clock.advance(3 * DAY)
    for number in range(count):
        service.check(ID.format(number))
    yield OVER


USD_AND_TOKENS = {"usd": "1000", "tokens": 1 << 40}
BUDGET = {"name": "b", "scope": {"user": "*"}, "limit": USD_AND_TOKENS, "window": "fixed:60s"}
PER_USER = {"budget": [BUDGET], "prices": {"gpt-x": {"input": "1.00", "output": "2.00"}}}
LIMITED = {"limiter": [{"name": "l", "scope": {"user": "*"}, "tokens_per_minute": 1 << 40}]}
CLASSES: dict[str, Stages] = {
    "AgentTokenBudget": token_budget,
    "BudgetManager, an agent": manager,
    "SharedPool": pool,
    "a lease of a pool": open_lease,
    "a lease that runs out": lease_run_out,
    "WorkflowQuota, a workflow": workflow,
    "RateLimiter": limiter,
    "Guard, a user of a budget": guarded(PER_USER),
    "Guard, a user of a limiter": guarded(LIMITED),
    "Guard, a user who is only checked": guarded(PER_USER, "check"),
    "Guard, an allotment": allotment,
    "AllowanceService, an agent": allowances,
}
