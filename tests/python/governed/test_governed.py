"""`governed`: every kind of function is asked for before its body runs, and settled once after it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from outlay import (
    AgentTokenBudget,
    BudgetExceeded,
    BudgetLimit,
    BudgetManager,
    InvalidAmount,
    PolicyError,
    RateLimiter,
    SharedPool,
    StepLimitExceeded,
    Usage,
    UsageEstimate,
    WorkflowQuota,
    governed,
)


@pytest.fixture
def pool():
    made = SharedPool(capacity_tokens=1_000)
    yield made
    assert made.open_leases() == []


def used(pool):
    return pool.committed().total_tokens


def answer(total):
    """Return what looks like a provider's response."""
    return SimpleNamespace(
        model="m", usage=SimpleNamespace(prompt_tokens=total - 1, completion_tokens=1, total_tokens=total)
    )


def kinds(pool, body, **keywords):
    """Return the same body as every kind of function; each returns the list of its items or its result."""

    @governed(pool, **keywords)
    def plain(x):
        return body(x)

    @governed(pool, **keywords)
    async def coroutine(x):
        await asyncio.sleep(0)
        return body(x)

    @governed(pool, **keywords)
    def generator(x):
        yield body(x)

    @governed(pool, **keywords)
    async def async_generator(x):
        await asyncio.sleep(0)
        yield body(x)

    async def collected(x):
        return [item async for item in async_generator(x)]

    return {
        "plain": plain,
        "async": lambda x: asyncio.run(coroutine(x)),
        "generator": lambda x: list(generator(x)),
        "async generator": lambda x: asyncio.run(collected(x)),
    }


EVERY_KIND = pytest.mark.parametrize("kind", ["plain", "async", "generator", "async generator"])


@EVERY_KIND
def test_books_what_the_result_carries(pool, kind):
    kinds(pool, lambda x: answer(x), estimate=100)[kind](30)
    assert used(pool) == 30


@EVERY_KIND
def test_books_the_estimate_where_the_result_says_nothing(pool, kind):
    assert kinds(pool, lambda x: "text", estimate=100)[kind](30) in ("text", ["text"])
    assert used(pool) == 100


@EVERY_KIND
def test_a_refusal_comes_before_the_body(pool, kind):
    ran = []
    with pytest.raises(BudgetExceeded) as refusal:
        kinds(pool, ran.append, estimate=1_001)[kind](30)
    assert (ran, used(pool)) == ([], 0)
    assert type(refusal.value).__module__ == "outlay"


@EVERY_KIND
def test_a_body_that_raises_releases(pool, kind):
    def body(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        kinds(pool, body, estimate=100)[kind](30)
    assert used(pool) == 0


@EVERY_KIND
def test_a_call_with_wrong_arguments_leaves_nothing_open(pool, kind):
    with pytest.raises(TypeError):
        kinds(pool, lambda: None, estimate=100)[kind](30)
    assert used(pool) == 0

    @governed(pool, 100)
    async def ask(x):
        raise AssertionError("ran")

    with pytest.raises(TypeError):
        asyncio.run(ask())


@EVERY_KIND
def test_a_body_that_raises_is_charged_where_the_budget_says_so(kind):
    pool = SharedPool(capacity_tokens=1_000, on_error="charge")

    def body(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        kinds(pool, body, estimate=100)[kind](30)
    assert (used(pool), pool.open_leases()) == (100, [])


@EVERY_KIND
def test_an_interrupted_body_is_charged(pool, kind):
    def body(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kinds(pool, body, estimate=100)[kind](30)
    assert used(pool) == 100


@EVERY_KIND
def test_a_usage_function_is_asked(pool, kind):
    def total(result):
        return sum(result) if isinstance(result, list) else result

    kinds(pool, lambda x: x, estimate=100, usage=total)[kind](30)
    assert used(pool) == 30


@pytest.mark.parametrize("said", [None, "much", True, -1, 2.5])
@EVERY_KIND
def test_a_usage_function_that_says_nothing_books_the_estimate(pool, kind, said, caplog):
    kinds(pool, lambda x: x, estimate=100, usage=lambda result: said)[kind](30)
    assert used(pool) == 100
    assert bool(caplog.records) == (said is not None)


@EVERY_KIND
def test_a_usage_function_that_raises_loses_neither_result_nor_charge(pool, kind, caplog):
    result = kinds(pool, lambda x: x, estimate=100, usage=lambda result: 1 // 0)[kind](30)
    assert result in (30, [30])
    assert used(pool) == 100
    assert "could not be read" in caplog.text


@EVERY_KIND
def test_without_an_estimate_the_result_is_still_booked(pool, kind):
    kinds(pool, lambda x: answer(x))[kind](30)
    assert used(pool) == 30


@pytest.mark.parametrize("estimate", [40, UsageEstimate(total_tokens=40), lambda x, *, times: x * times])
def test_an_estimate_is_an_int_an_estimate_or_a_function_of_the_arguments(pool, estimate):
    @governed(pool, estimate)
    def ask(x, *, times):
        assert pool.reserved().total_tokens == 40

    ask(20, times=2)
    assert used(pool) == 40


@pytest.mark.parametrize("estimate", ["40", 4.5, b"4", [4]])
def test_anything_else_is_refused_when_decorating(pool, estimate):
    with pytest.raises((PolicyError, InvalidAmount, TypeError)):
        governed(pool, estimate)


def test_an_estimator_that_makes_nonsense_is_refused_before_the_body(pool):
    @governed(pool, lambda: -1)
    def ask():
        raise AssertionError("ran")

    with pytest.raises(InvalidAmount):
        ask()


def test_usage_and_model_are_checked(pool):
    with pytest.raises(PolicyError, match="usage"):
        governed(pool, usage=5)
    with pytest.raises(PolicyError, match="model"):
        governed(pool, model=5)
    with pytest.raises(PolicyError, match="governed"):
        governed(pool)(5)
    with pytest.raises(PolicyError, match="governed"):
        governed(pool)(int)


def test_an_agents_calls_are_counted_without_an_estimate():
    manager = BudgetManager()
    manager.set_budget(BudgetLimit(agent_id="a-1", token_budget=None, calls_budget=2, window_secs=None))

    @governed(manager.agent("a-1"))
    def ask():
        return "done"

    ask(), ask()
    with pytest.raises(BudgetExceeded):
        ask()


def test_a_workflow_takes_a_step_a_call():
    token = WorkflowQuota.hourly(1, 2).begin_workflow("w-1")

    @governed(token)
    def step():
        return "done"

    step(), step()
    with pytest.raises(StepLimitExceeded):
        step()


def test_the_operation_is_weighed():
    budget = AgentTokenBudget.hourly("a-1", 1_000)
    budget.add_operation_cost("heavy", 10)

    @governed(budget, 10, operation="heavy")
    def ask():
        return None

    ask()
    assert budget.used() == 100


def test_a_limiter_may_be_waited_for():
    limiter = RateLimiter(100)

    @governed(limiter, 100, wait=0.01)
    def ask():
        return None

    ask()
    with pytest.raises(Exception, match=r"wait|limit"):
        ask()


PRICES = {"m": {"input": "1", "output": "10"}}


def test_prices_need_a_model_that_they_know(pool):
    with pytest.raises(PolicyError, match="model"):
        governed(pool, 5, prices=PRICES)
    with pytest.raises(PolicyError, match="no price"):
        governed(pool, 5, prices=PRICES, model="other")


@pytest.mark.parametrize("estimate", [None, 5, UsageEstimate(total_tokens=5)])
def test_a_cost_limit_is_never_passed_at_no_cost(estimate):
    capped = SharedPool(capacity_cost_micros_usd=1_000)
    with pytest.raises(PolicyError, match="cost"):
        governed(capped, estimate)


def test_a_cost_limit_is_never_passed_at_no_cost_by_a_function():
    @governed(SharedPool(capacity_cost_micros_usd=1_000), lambda: 5)
    def ask():
        raise AssertionError("ran")

    with pytest.raises(PolicyError, match="cost"):
        ask()


def test_an_estimate_with_a_cost_needs_no_prices():
    capped = SharedPool(capacity_cost_micros_usd=1_000)

    @governed(capped, UsageEstimate(cost_micros_usd=600), usage=lambda result: result)
    def ask(usage=None):
        return usage

    ask(Usage(cost_micros_usd=100))
    ask(7)  # tokens without a price keep the cost of the estimate
    assert capped.committed().cost_micros_usd == 700
    with pytest.raises(BudgetExceeded):
        ask()


def test_prices_price_the_estimate_and_the_usage():
    capped = SharedPool(capacity_cost_micros_usd=1_000)

    @governed(capped, lambda usage: 50, prices=PRICES, model="m")
    def ask(usage):
        assert capped.reserved().cost_micros_usd == 500
        return usage

    ask({"usage": {"prompt_tokens": 20, "completion_tokens": 5}})
    assert capped.committed().cost_micros_usd == 70
