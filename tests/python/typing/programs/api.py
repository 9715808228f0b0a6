"""Typed uses of the whole public API: `mypy --strict` checks them, nobody runs them.

An ignored error is one that must be there: `--strict` warns where an ignore is not needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, assert_type
from uuid import UUID

import outlay
from outlay import (
    AgentBudget,
    AgentTokenBudget,
    Allotment,
    BoundGuard,
    BudgetInfo,
    BudgetLease,
    BudgetLimit,
    BudgetManager,
    FullBudgetInfo,
    Guard,
    ManualClock,
    PriceTable,
    Remaining,
    RequestBudget,
    SharedPool,
    SystemClock,
    Usage,
    UsageEstimate,
    WorkflowQuota,
    WorkflowToken,
    usd,
)
from outlay.types import Advice, Event, EventFigures, LLMMessage, RuleReport


def clocks() -> None:
    """Time is injected."""
    clock = ManualClock()
    clock.advance(5)
    clock.advance(0.5)
    clock.advance(dt.timedelta(days=1))
    clock.set_time(dt.datetime(2026, 1, 1))
    clock.advance("5")  # type: ignore[arg-type]
    clock.set_time("2026")  # type: ignore[arg-type]
    SharedPool(clock=SystemClock())
    SharedPool(clock=5)  # type: ignore[arg-type]


def amounts(response: object) -> None:
    """Values: keywords only, frozen, added to their own kind."""
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=None, cost_micros_usd=3)
    assert_type(usage + Usage.zero(), Usage)
    assert_type(sum([usage, usage], Usage.zero()), Usage)
    assert_type(usage.input_tokens, int)
    assert_type(usage.cache_read_tokens + usage.cache_write_tokens + usage.reasoning_tokens, int)
    assert_type(Usage.from_response(response), Usage)
    assert_type(Usage.from_response(response, model="m", prices={"m": {"input": "2.50"}}), Usage)
    estimate = UsageEstimate(total_tokens=5)
    assert_type(estimate + UsageEstimate.zero(), UsageEstimate)
    usage + estimate  # type: ignore[operator]
    Usage(1, 2)  # type: ignore[call-arg]
    usage.input_tokens = 5  # type: ignore[misc]
    assert_type(RequestBudget.unlimited().tokens, int | None)
    assert_type(RequestBudget.from_tokens(1), RequestBudget)
    assert_type(RequestBudget.from_cost_micros_usd(1), RequestBudget)
    assert_type(RequestBudget.with_limits(None, 1).cost_micros_usd, int | None)
    RequestBudget(tokens=1, cost_micros_usd=None)
    assert_type(usd("12.34"), int)
    assert_type(usd(Decimal(1)) + usd(5), int)
    usd(0.5)  # type: ignore[arg-type]
    prices = PriceTable({"m": {"input": "1", "output": "2"}})
    assert_type(prices.knows("m"), bool)
    assert_type(prices.cost("m", usage), int)


def token_budget() -> None:
    """AgentTokenBudget and its leases."""
    clock = ManualClock()
    budget = AgentTokenBudget(
        "a",
        1000,
        dt.timedelta(hours=1),
        warning_threshold=0.5,
        hard_limit=True,
        operation_costs={"plan": 2},
        on_warning=lambda warned: assert_type(warned, AgentTokenBudget).reset(),
        lease_ttl=5,
        unsettled="release",
        on_error="charge",
        clock=clock,
    )
    assert_type(AgentTokenBudget.daily("a", 5, clock=clock), AgentTokenBudget)
    assert_type(AgentTokenBudget.hourly(UUID(int=1), 5, hard_limit=False), AgentTokenBudget)
    assert_type(budget.try_consume("query", 5), bool)
    budget.consume("query", 5)
    budget.check("query", 5)
    assert_type(budget.reserve("query", 5, ttl=1.5), BudgetLease)
    budget.reserve("query", UsageEstimate(total_tokens=1))
    assert_type(budget.remaining() + budget.used() + budget.reserved() + budget.total_tokens, int)
    assert_type(budget.usage_percentage(), float)
    assert_type(budget.time_until_reset(), float)
    assert_type(budget.period, float)
    assert_type(budget.warning_threshold, float)
    assert_type(budget.is_warning(), bool)
    assert_type(budget.hard_limit, bool)
    assert_type(budget.operation_costs, dict[str, int])
    assert_type(budget.agent_id, str)
    budget.add_operation_cost("plan", 3)
    budget.reset()
    budget.consume("query", 1.5)  # type: ignore[arg-type]
    budget.consume("query", "1")  # type: ignore[arg-type]
    budget.total_tokens = 5  # type: ignore[misc]
    AgentTokenBudget(5, 5, 5)  # type: ignore[arg-type]
    AgentTokenBudget("a", 5, 5, unsettled="refund")  # type: ignore[arg-type]
    AgentTokenBudget("a", 5, 5, on_warning=5)  # type: ignore[arg-type]


def workflows() -> None:
    """WorkflowQuota and its tokens."""
    quota = WorkflowQuota(5, 5, 60)
    assert_type(WorkflowQuota.hourly(5, 5, clock=ManualClock()), WorkflowQuota)
    with quota.begin_workflow("w", resume=True) as token:
        assert_type(token, WorkflowToken)
        token.execute_step()
        token.execute_step(2)
        assert_type(token.remaining_steps() + token.steps_executed() + token.max_steps, int)
        assert_type(token.duration(), float)
        assert_type(token.can_continue(), bool)
        assert_type(token.id, str)
    assert_type(quota.get("w"), WorkflowToken | None)
    assert_type(quota.end_workflow("w"), bool)
    assert_type(quota.active_count() + quota.period_count() + quota.remaining(), int)
    assert_type(quota.max_workflows + quota.max_steps, int)
    assert_type(quota.time_until_reset() + quota.period, float)
    quota.reset()
    quota.begin_workflow("w", True)  # type: ignore[call-arg]


def managers(path: Path) -> None:
    """BudgetManager, its agents and its files."""
    manager = BudgetManager(lease_ttl=60, unsettled="charge", on_error="release", clock=ManualClock())
    limit = BudgetLimit(agent_id="a", token_budget=5, calls_budget=None, window_secs=dt.timedelta(hours=1))
    assert_type(limit.agent_id, str)
    assert_type(limit.token_budget, int | None)
    assert_type(limit.calls_budget, int | None)
    assert_type(limit.window_secs, float | None)
    manager.set_budget(limit)
    assert_type(manager.remove_budget("a"), bool)
    manager.reserve("a", 5)
    manager.release("a", 5)
    manager.track_call("a")
    manager.reset_window("a")
    info = manager.remaining("a")
    assert_type(info, BudgetInfo)
    assert_type(info.tokens_remaining, int | None)
    assert_type(info.calls_remaining, int | None)
    assert_type(info.window_remaining_secs, float | None)
    assert_type(info.is_exhausted, bool)
    assert_type(manager.can_schedule("a"), bool)
    assert_type(manager.full_info("a"), FullBudgetInfo | None)
    for full in manager.all_full_info():
        assert_type(full, FullBudgetInfo)
        assert_type(full.tokens_used + full.calls_used, int)
        assert_type(full.token_limit, int | None)
        assert_type(full.window_secs, float | None)
    agent = manager.agent("a")
    assert_type(agent, AgentBudget)
    assert_type(agent.agent_id, str)
    assert_type(agent.reserve(5, ttl=dt.timedelta(seconds=1)), BudgetLease)
    agent.charge(5)
    agent.charge(5, calls=2)
    agent.track_call()
    assert_type(agent.remaining(), BudgetInfo)
    manager.persist(path)
    assert_type(manager.restore(str(path)), bool)
    manager.set_budget("a")  # type: ignore[arg-type]
    BudgetLimit("a", 5, None, None)  # type: ignore[call-arg]


async def pools() -> None:
    """SharedPool and leases, in sync and async blocks."""
    pool = SharedPool(
        capacity_tokens=5,
        capacity_cost_micros_usd=None,
        stop_threshold_tokens=1,
        stop_threshold_cost_micros_usd=0,
        lease_ttl=900,
        unsettled="charge",
        on_error="release",
    )
    with pool.reserve(5, RequestBudget(tokens=5), ttl=60) as lease:
        assert_type(lease, BudgetLease)
        lease.commit()
    async with pool.reserve(UsageEstimate(total_tokens=5), request_budget=None) as lease:
        assert_type(lease, BudgetLease)
        lease.commit(5)
        lease.commit(Usage(total_tokens=5))
    assert_type(lease.id, str)
    assert_type(lease.reserved, UsageEstimate)
    assert_type(lease.request_budget, RequestBudget)
    assert_type(lease.state, Literal["open", "committed", "released", "expired"])
    assert_type(lease.expires_in(), float)
    lease.release()
    lease.close()
    lease.extend(dt.timedelta(minutes=1))
    pool.record_used(lease, Usage(total_tokens=5))
    left = pool.remaining()
    assert_type(left, Remaining)
    assert_type(left.tokens, int | None)
    assert_type(left.cost_micros_usd, int | None)
    assert_type(left.below_threshold, bool)
    assert_type(pool.committed(), Usage)
    assert_type(pool.reserved(), Usage)
    assert_type(pool.open_leases(), list[BudgetLease])
    lease.commit("5")  # type: ignore[arg-type]
    pool.reserve(5, 5)  # type: ignore[arg-type]


def blocks_do_not_swallow() -> int:
    """Show that __exit__ returns False: a True would need a return after the block."""
    with SharedPool().reserve(1):
        return 1


def refusals(budget: AgentTokenBudget) -> str:
    """Read what every refusal carries."""
    try:
        budget.consume("query", 5)
    except outlay.StepLimitExceeded as refused:
        assert_type(refused.steps_executed + refused.max_steps + refused.current, int)
        assert_type(refused.workflow_id, str | None)
    except outlay.BudgetExceeded as refused:
        assert_type(refused.agent_id, str | None)
        assert_type(refused.total, int)
        assert_type(refused.resets_in, float | None)
    except outlay.LimitExceeded as refused:
        assert_type(refused.limit + refused.used + refused.reserved, int)
        assert_type(refused.requested + refused.remaining, int)
        assert_type(refused.retry_after, float | None)
        assert_type(refused.retryable, bool)
        assert_type(refused.message + refused.kind + refused.suggestion, str)
        assert_type(refused.scope, dict[str, str])
        assert_type(refused.payload, LLMMessage)
        assert_type(refused.payload["details"]["remaining"], int)
        return refused.to_llm_message()
    except (KeyError, TimeoutError, ValueError):
        errors: list[type[ValueError]] = [outlay.InvalidAmount, outlay.InvalidId, outlay.PolicyError]
        keys: type[KeyError] = outlay.NotConfigured
        timeouts: type[TimeoutError] = outlay.WaitTimeout
        return f"{errors}{keys}{timeouts}"
    assert_type(outlay.LLM_MESSAGE_SCHEMA, dict[str, Any])
    assert_type(outlay.__version__, str)
    return ""


@outlay.governed(SharedPool(), estimate=lambda x, y="": len(y), usage=len)
def governed_plain(x: int, y: str = "") -> str:
    """Keep its type."""
    return y * x


@outlay.governed([SharedPool()], 5, operation="query", wait=1.5, agent="a-1")
async def governed_async(x: int) -> bytes:
    """Keep its type, async."""
    return bytes(x)


@outlay.governed(SharedPool(), UsageEstimate(total_tokens=1))
def governed_generator(x: int) -> Iterator[int]:
    """Keep its type, a generator."""
    yield x


async def governed_functions() -> None:
    """Arguments and results are those of the function."""
    assert_type(governed_plain(1, y="a"), str)
    assert_type(await governed_async(1), bytes)
    assert_type(list(governed_generator(1)), list[int])
    governed_plain("1")  # type: ignore[arg-type]
    outlay.governed(SharedPool(), "5")  # type: ignore[arg-type]


class Own:
    """A user's own budget follows the protocol."""

    def __init__(self, pool: SharedPool) -> None:
        self.pool = pool

    def reserve(self, estimate: UsageEstimate, **labels: str) -> BudgetLease:
        """Pass on to the pool."""
        return self.pool.reserve(estimate)


own: outlay.Budget = Own(SharedPool())
lease: outlay.Lease = SharedPool().reserve(1)


def estimate_reports() -> float:
    """Read what `estimates` tells."""
    assert_type(outlay.estimates(), dict[str, outlay.EstimateReport])
    return sum(seen.calls * seen.input_mean + seen.output_p95 for seen in outlay.estimates().values())


def note_event(event: Event) -> None:
    """Read what an event says."""
    assert_type(event["time"], float)
    assert_type(event["labels"], dict[str, str])
    assert_type(event["limits"]["tokens"], EventFigures)
    assert_type(event["fraction"], float | None)
    assert_type(event["allowed"], bool | None)
    event["wrong"]  # type: ignore[typeddict-item]


async def guards(path: Path) -> None:
    """Guard, its scopes and its parts."""
    guard = Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000}}]}, clock=ManualClock())
    assert_type(Guard(path), Guard)
    assert_type(Guard.from_toml("policy.toml", clock=SystemClock()), Guard)
    assert_type(Guard.from_dict({"version": 1}), Guard)
    Guard(5)  # type: ignore[arg-type]
    Guard()  # type: ignore[call-arg]
    assert_type(guard.reserve(), BudgetLease)
    assert_type(guard.reserve(UsageEstimate(input_tokens=1), ttl=5, agent="a-1", model="m"), BudgetLease)
    assert_type(await guard.reserve_wait(5, timeout=dt.timedelta(seconds=1), agent="a-1"), BudgetLease)
    assert_type(guard.reserve_blocking(5, timeout=0, agent="a-1"), BudgetLease)
    guard.reserve(1, agent=5)  # type: ignore[arg-type]
    guard.check(5, agent="a-1")
    guard.charge_step(workflow="w")
    with guard.run(workflow="w") as run_id, guard.step("plan"), guard.scope(user="u"), guard.landing():
        assert_type(run_id, str)
    with guard.allot(tokens=5, cost_micros_usd=6, calls=7, ttl=60, agent="a-1") as part:
        assert_type(part, Allotment)
        assert_type(part.reserve(1, agent="a-1"), BudgetLease)
        assert_type(await part.reserve_wait(timeout=1), BudgetLease)
        assert_type(part.allot(calls=1), Allotment)
        assert_type(part.remaining(), dict[str, int | None])
        assert_type(part.closed, bool)
        part.close()
    guard.observe({"retry-after": "1"}, 429, model="m")
    guard.update(path)
    assert_type(guard.explain(agent="a-1"), list[RuleReport])
    assert_type(guard.snapshot()[0]["limits"]["tokens"]["remaining"], int | None)
    assert_type(guard.advice(agent="a-1"), Advice)
    assert_type(guard.advice()["remaining"], dict[str, int])
    guard.advice()["left"]  # type: ignore[typeddict-item]
    guard.events(print)
    guard.events(note_event)
    guard.events(5)  # type: ignore[arg-type]
    assert_type(guard.reserve().committed, Usage | None)
    assert_type(outlay.last_call(), Usage | None)
    assert_type(guard.allowances, outlay.AllowanceService)
    outlay.governed([guard, SharedPool()], 5)
    outlay.governed(guard.allot(calls=1), 5)
    assert_type(outlay.POLICY_SCHEMA, dict[str, Any])
    assert_type(outlay.doctor(), dict[str, Any])


async def labels_as_a_mapping(guard: Guard, labels: dict[str, str], client: object) -> None:
    """They may have any name, and each method takes them."""
    assert_type(guard.reserve(10, labels=labels), BudgetLease)
    assert_type(await guard.reserve_wait(10, timeout=5, labels=labels, user="ann"), BudgetLease)
    assert_type(guard.bind(labels=labels), BoundGuard)
    view = guard.bind(user="ann").run("r-1").bind(labels=labels)
    assert_type(view, BoundGuard)
    assert_type(await view.reserve_wait(10), BudgetLease)
    assert_type(view.reserve_blocking(10, labels=labels), BudgetLease)
    assert_type(view.allot(tokens=5, labels=labels), Allotment)
    assert_type(view.labels, dict[str, str])
    assert_type(view.guard, Guard)
    with view.step("review") as step, guard.scope(labels=labels), guard.run(labels=labels) as run_id:
        assert_type(step, BoundGuard)
        assert_type(run_id, str)
    guard.reserve(labels=["user"])  # type: ignore[arg-type]
    BoundGuard()
    outlay.governed(view, 5)
