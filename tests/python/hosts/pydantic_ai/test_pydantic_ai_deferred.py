"""A tool that waits for a person is run again later: its step is given back, and paid once."""

from __future__ import annotations

import pytest
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.models.test import TestModel

from outlay import Guard, WorkflowQuota
from outlay.pydantic_ai import BudgetCapability


def workflow():
    token = WorkflowQuota.hourly(1, 1).begin_workflow("w")
    return token, token.steps_executed


def tool_rule():
    guard = Guard({"tool": [{"name": "pay", "limit": {"calls": 1}}]})
    return guard, lambda: guard.snapshot()[0]["limits"]["calls"]["used"]


@pytest.mark.parametrize("made", [workflow, tool_rule])
def test_a_tool_that_asks_for_approval_pays_once(made):
    budget, steps = made()
    capability = BudgetCapability(budget, models=False)
    agent = Agent(TestModel(), capabilities=[capability], output_type=[str, DeferredToolRequests])

    @agent.tool
    def pay(ctx: RunContext[None], amount: int) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return "paid"

    stopped = agent.run_sync("Pay.")
    assert steps() == 0
    [asked] = stopped.output.approvals
    results = DeferredToolResults(approvals={asked.tool_call_id: True})
    done = agent.run_sync(message_history=stopped.all_messages(), deferred_tool_results=results)
    assert "paid" in done.output
    assert steps() == 1
