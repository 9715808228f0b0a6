"""Copies: of an account they are the account itself, of a value an equal value."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from outlay import (
    AgentTokenBudget,
    BudgetExceeded,
    BudgetLimit,
    BudgetManager,
    Guard,
    ManualClock,
    RateLimiter,
    SharedPool,
    Usage,
    WorkflowQuota,
)

GUARD = {"budget": [{"name": "b", "limit": {"tokens": 100}}]}


def accounts():
    """Return one object of each class that keeps what was spent."""
    manager = BudgetManager()
    manager.set_budget(BudgetLimit(agent_id="a", token_budget=10, calls_budget=None, window_secs=60))
    guard, pool, quota = Guard(GUARD), SharedPool(capacity_tokens=10), WorkflowQuota.hourly(1, 1)
    return [
        AgentTokenBudget.hourly("a", 10),
        manager,
        manager.agent("a"),
        pool,
        pool.reserve(1),
        RateLimiter(10),
        quota,
        quota.begin_workflow("w"),
        guard,
        guard.allot(tokens=5),
        guard.reserve(1),
        ManualClock(),
    ]


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
