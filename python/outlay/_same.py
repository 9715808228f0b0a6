"""Copies of accounts: `copy` and `deepcopy` give the account itself.

Frameworks copy what holds an account: a model, a client, the state of an agent. A copy of the account would
have a limit of its own, and a refusal would end the program that copies. So a copy spends from the same
account.
"""

from __future__ import annotations

from typing import Any, TypeVar

from outlay._core import (
    AgentBudget,
    AgentTokenBudget,
    Allotment,
    AllowanceLedger,
    BudgetLease,
    BudgetManager,
    Guard,
    ManualClock,
    RateLimiter,
    SharedPool,
    Store,
    SystemClock,
    WorkflowQuota,
    WorkflowToken,
)

_Account = TypeVar("_Account")
_CLASSES = (
    AgentBudget,
    AgentTokenBudget,
    Allotment,
    AllowanceLedger,
    BudgetLease,
    BudgetManager,
    Guard,
    ManualClock,
    RateLimiter,
    SharedPool,
    Store,
    SystemClock,
    WorkflowQuota,
    WorkflowToken,
)


def same(self: _Account) -> _Account:
    """Return the account itself."""
    return self


def same_deeply(self: _Account, _memo: dict[int, Any]) -> _Account:
    """Return the account itself."""
    return self


def copied_as_itself(*classes: type) -> None:
    """Let copies of the objects of these classes be the objects themselves."""
    for each in classes:
        each.__copy__ = same  # type: ignore[attr-defined]
        each.__deepcopy__ = same_deeply  # type: ignore[attr-defined]


copied_as_itself(*_CLASSES)
