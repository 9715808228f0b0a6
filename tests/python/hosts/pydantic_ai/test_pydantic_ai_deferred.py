"""A tool that waits for a person or for a result from outside pays one step, over all of its runs."""

from __future__ import annotations

import pytest
from pydantic_ai import (
    Agent,
    DeferredToolRequests,
    DeferredToolResults,
    ExternalToolset,
    RunContext,
    ToolDefinition,
)
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.models.test import TestModel
from pydantic_ai.tools import ToolDenied

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


def resumed(budget, tool, results, **options):
    """Run an agent until its tool stops it, and again with the results; tell the steps after each."""
    token, steps = workflow() if budget is None else (budget, lambda: None)
    capability = BudgetCapability(token, models=False)
    agent = Agent(TestModel(), capabilities=[capability], output_type=[str, DeferredToolRequests])
    agent.tool(name="pay", **options)(tool)
    stopped = agent.run_sync("Pay.")
    before, [asked] = steps(), [*stopped.output.approvals, *stopped.output.calls]
    agent.run_sync(message_history=stopped.all_messages(), deferred_tool_results=results(asked.tool_call_id))
    return before, steps()


def pay(ctx: RunContext[None], amount: int) -> str:
    return "paid"


def asks(ctx: RunContext[None], amount: int) -> str:
    raise ApprovalRequired


def defers(ctx: RunContext[None], amount: int) -> str:
    raise CallDeferred


def approved(answer):
    return lambda call_id: DeferredToolResults(approvals={call_id: answer})


def from_outside(call_id):
    return DeferredToolResults(calls={call_id: "paid"})


def test_a_tool_that_needs_approval_pays_when_it_runs():
    assert resumed(None, pay, approved(answer=True), requires_approval=True) == (0, 1)


def test_a_tool_that_a_person_denies_pays_nothing():
    assert resumed(None, asks, approved(ToolDenied())) == (0, 0)
    assert resumed(None, pay, approved(answer=False), requires_approval=True) == (0, 0)


def test_a_tool_whose_result_comes_from_outside_pays_when_it_starts_it():
    """It is run once: what it was given back would never be paid."""
    assert resumed(None, defers, from_outside) == (1, 1)


def test_the_lease_of_an_own_budget_is_ended_as_the_step_is():
    for tool, results, ends in ((asks, approved(ToolDenied()), "release"), (defers, from_outside, "commit")):
        own = Own()
        resumed(own, tool, results)
        assert own.told == ["reserve", ends]


class Own:
    """A user's own budget that writes down what it is told."""

    def __init__(self):
        self.told = []

    def reserve(self, estimate, **labels):
        """Give a lease: itself."""
        self.told.append("reserve")
        return self

    def commit(self, usage=None):
        """End it as made."""
        self.told.append("commit")

    def release(self):
        """End it as never made."""
        self.told.append("release")

    def close(self):
        """End it as failed."""
        self.told.append("close")


def test_a_tool_that_is_never_run_here_pays_nothing():
    token, steps = workflow()
    tools = ExternalToolset([ToolDefinition(name="pay")])
    capability = BudgetCapability(token, models=False)
    agent = Agent(
        TestModel(), capabilities=[capability], toolsets=[tools], output_type=[str, DeferredToolRequests]
    )
    stopped = agent.run_sync("Pay.")
    [asked] = stopped.output.calls
    results = from_outside(asked.tool_call_id)
    agent.run_sync(message_history=stopped.all_messages(), deferred_tool_results=results)
    assert steps() == 0
