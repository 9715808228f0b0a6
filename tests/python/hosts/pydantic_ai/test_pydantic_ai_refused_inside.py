"""A refusal that a tool raises is the tool's result; and what passes a guarded model by."""

from __future__ import annotations

import json
import logging

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel

from outlay import Guard, PolicyError, SharedPool, WorkflowQuota
from outlay.pydantic_ai import BudgetCapability, wrap


def boss(messages, info):
    """Ask the scout once, then answer."""
    if any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts):
        return ModelResponse(parts=[TextPart("done")])
    return ModelResponse(parts=[ToolCallPart("ask_scout", {"task": "t"})])


def told_in(run):
    parts = [part for message in run.all_messages() for part in message.parts]
    return [part.content for part in parts if isinstance(part, ToolReturnPart)]


async def test_u04_a_scouts_refusal_is_the_tools_result():
    guard = Guard({"budget": [{"name": "job", "limit": {"tokens": 100_000}}]})
    agent = Agent(FunctionModel(boss), capabilities=[BudgetCapability(guard)])

    @agent.tool_plain
    async def ask_scout(task: str) -> str:
        with guard.allot(tokens=300, agent="scout") as part:
            return (await Agent(wrap(TestModel(), part)).run(task)).output

    run = await agent.run("go")
    assert run.output == "done"
    (told,) = told_in(run)
    assert json.loads(told)["details"]["total"] == 300


@pytest.mark.parametrize("budget", ["steps", "pool"])
async def test_u04_a_pool_that_counts_no_steps_turns_it_too(budget):
    token, pool = WorkflowQuota.hourly(10, 5).begin_workflow("w-1"), SharedPool(capacity_tokens=100_000)
    agent = Agent(FunctionModel(boss), capabilities=[BudgetCapability(token if budget == "steps" else pool)])

    @agent.tool_plain
    async def ask_scout(task: str) -> str:
        SharedPool(capacity_tokens=100).reserve(500)
        return task

    run = await agent.run("go")
    assert (run.output, json.loads(told_in(run)[0])["details"]["requested"]) == ("done", 500)
    # Two requests of the model and one tool call, which counts from its start.
    assert token.steps_executed() == (3 if budget == "steps" else 0)


async def test_other_errors_of_a_tool_stay_what_they_are():
    agent = Agent(FunctionModel(boss), capabilities=[BudgetCapability(SharedPool(capacity_tokens=100_000))])

    @agent.tool_plain
    async def ask_scout(task: str) -> str:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await agent.run("go")


class OwnClient(TestModel):
    """A model with a client inside."""

    client = "the SDK's"


def test_the_client_inside_has_a_word(pool, caplog, said):
    with pytest.raises(PolicyError, match=r"outlay\.pydantic_ai: client costs money"):
        _ = wrap(OwnClient(), pool, unguarded="refuse").client
    with caplog.at_level(logging.WARNING, "outlay"):
        assert wrap(OwnClient(), pool).client == "the SDK's"
        assert wrap(OwnClient(), pool, unguarded="allow").client == "the SDK's"
    assert len(caplog.records) == 1
