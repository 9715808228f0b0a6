"""Copies: of an account they are the account itself, of a value an equal value."""

from __future__ import annotations

import copy
import dataclasses
import tempfile

import pytest

import outlay
from outlay import (
    AgentAllowance,
    AgentTokenBudget,
    AllowanceService,
    BudgetExceeded,
    BudgetLimit,
    BudgetManager,
    Guard,
    ManualClock,
    MemoryStore,
    RateLimiter,
    SharedPool,
    Store,
    SystemClock,
    Usage,
    WorkflowQuota,
)

#: Public classes whose objects keep nothing that is spent.
VALUES = {
    *("AgentAllowance", "AllowanceStatus", "BudgetInfo", "BudgetLimit", "Denial", "EstimateReport"),
    *("FullBudgetInfo", "ModelQuota", "PriceTable", "QuotaCheckResult", "QuotaEvent", "Remaining"),
    *("RepoLimit", "RequestBudget", "Usage", "UsageEstimate", "UsageRecord", "UsageReport"),
}
FOLDER = tempfile.TemporaryDirectory()
GUARD = {"budget": [{"name": "b", "limit": {"tokens": 100}}]}


def accounts():
    """Return one object of each class that keeps what was spent."""
    manager = BudgetManager()
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=10, calls_budget=None, window_secs=60))
    guard, pool, quota = Guard(GUARD), SharedPool(capacity_tokens=10), WorkflowQuota.hourly(1, 1)
    service, limiter = AllowanceService(), RateLimiter(10)
    service.set_allowance(AgentAllowance(agent_id="a"))
    return [
        AgentTokenBudget.hourly("a", 10),
        manager,
        manager.agent("a"),
        pool,
        pool.reserve(1),
        limiter,
        limiter.reserve(1),
        quota,
        quota.begin_workflow("w"),
        guard,
        guard.bind(user="ann"),
        guard.allot(tokens=5),
        guard.reserve(1),
        service,
        service.start_job("a", "j"),
        MemoryStore(),
        Store(f"sqlite:///{FOLDER.name}/budgets.db"),
        ManualClock(),
        SystemClock(),
    ]


def test_each_public_class_is_an_account_or_a_value():
    """A class that is added is tested here."""
    classes = {
        name
        for name in outlay.__all__
        if isinstance(kind := getattr(outlay, name), type)
        and not issubclass(kind, BaseException)
        and not getattr(kind, "_is_protocol", False)
    }
    assert {type(account).__name__ for account in accounts()} == classes - VALUES


@pytest.mark.parametrize("account", accounts(), ids=lambda account: type(account).__name__)
def test_a_copy_of_an_account_is_the_account(account):
    """A copy would have a limit of its own; a refusal to copy would end frameworks that copy."""
    assert copy.copy(account) is account
    assert copy.deepcopy(account) is account
    assert copy.deepcopy({"state": [account]})["state"][0] is account


def test_a_copied_agent_spends_from_the_same_account():
    """As a framework does it: the whole state, deeply."""

    @dataclasses.dataclass
    class Agent:
        guard: Guard

    agent = Agent(Guard(GUARD))
    copied = copy.deepcopy(agent)
    copied.guard.reserve(80).commit()
    with pytest.raises(BudgetExceeded):
        agent.guard.reserve(30)


def test_a_value_is_copied_by_value():
    usage = Usage(input_tokens=3, output_tokens=4)
    assert copy.copy(usage) == copy.deepcopy(usage) == usage
