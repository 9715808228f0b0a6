"""Waiting for several budgets at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from outlay._core import BudgetLease, Mailbox, wait_together
from outlay._waiting.loop import LoopState, loop_state

if TYPE_CHECKING:
    from outlay._core import (
        AgentBudget,
        AgentTokenBudget,
        Allotment,
        BoundGuard,
        Guard,
        RateLimiter,
        SharedPool,
        UsageEstimate,
        WorkflowToken,
    )

    Account: TypeAlias = AgentBudget | AgentTokenBudget | RateLimiter | SharedPool | WorkflowToken
    NativeBudget: TypeAlias = Account | Allotment | BoundGuard | Guard


async def reserve_together_wait(
    budgets: Sequence[NativeBudget],
    estimate: UsageEstimate,
    **keywords: Any,
) -> BudgetLease | None:
    """Reserve of several budgets in one step, as `reserve_together` does, and wait as it does.

    Args:
        budgets: At least one budget.
        estimate: What the call may use.
        **keywords: Those of `reserve_together`.

    """
    # Kept until the wait is joined: nothing else keeps a loop state alive that has no waits yet.
    states: list[LoopState] = []

    def mailbox() -> Mailbox:
        states.append(loop_state())
        return states[0].mailbox

    got = wait_together(budgets, estimate, mailbox, **keywords)
    if got is None or isinstance(got, BudgetLease):
        return got
    joined = got
    return await states[0].wait(lambda _mailbox: joined)
