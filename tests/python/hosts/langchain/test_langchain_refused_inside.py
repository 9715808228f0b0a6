"""A refusal that a tool raises, of a sub-agent's own part say, is the tool's answer: the run goes on."""

from __future__ import annotations

import json

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import ModelError

from outlay import BudgetExceeded, Guard, LimitExceeded, WorkflowQuota
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import ScriptedChatModel, tool_call

GO = {"messages": [("user", "go")]}


def part_of_a_scout(guard, on_denied):
    """Make the agent of a boss whose tool runs a scout on a part that is too small."""

    def ask_scout(task: str) -> str:
        """Ask."""
        with guard.allot(tokens=300, agent="scout") as part:
            scout = create_agent(wrap(ScriptedChatModel(script=["found"], model_name="m"), part), [])
            return scout.invoke({"messages": [("user", task)]})["messages"][-1].text

    boss = wrap(ScriptedChatModel(script=[tool_call("ask_scout", task="t"), "done"], model_name="m"), guard)
    return create_agent(boss, [ask_scout], middleware=[BudgetMiddleware(guard, on_denied=on_denied)])


@pytest.fixture
def guard():
    return Guard({"budget": [{"name": "job", "limit": {"tokens": 100_000}}]})


async def test_u04_the_model_reads_the_refusal_and_finishes(guard):
    for ask in ("invoke", "ainvoke"):
        agent = part_of_a_scout(guard, "continue")
        answer = agent.invoke(GO) if ask == "invoke" else await agent.ainvoke(GO)
        assert answer["messages"][-1].text == "done"
        (told,) = [message for message in answer["messages"] if message.type == "tool"]
        assert (told.status, told.name) == ("error", "ask_scout")
        assert json.loads(told.content)["details"]["total"] == 300


def test_u04_end_ends_the_run_with_the_refusal(guard):
    last = part_of_a_scout(guard, "end").invoke(GO)["messages"][-1]
    assert last.type == "ai"
    assert json.loads(last.text)["details"]["total"] == 300


def test_u04_error_raises_it(guard):
    with pytest.raises(BudgetExceeded) as refused:
        part_of_a_scout(guard, "error").invoke(GO)
    assert isinstance(refused.value, ModelError)
    assert refused.value.limit == 300


def failing(error):
    def look_up(word: str) -> str:
        """Look a word up."""
        raise error

    return look_up


def test_the_step_of_the_tool_is_counted():
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    model = ScriptedChatModel(script=[tool_call("look_up", word="a"), "done"])
    refusal = LimitExceeded("inside")
    agent = create_agent(model, [failing(refusal)], middleware=[BudgetMiddleware(token)])
    assert agent.invoke(GO)["messages"][-1].text == "done"
    assert token.steps_executed() == 1


def test_other_errors_of_a_tool_stay_what_they_are():
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    model = ScriptedChatModel(script=[tool_call("look_up", word="a"), "done"])
    agent = create_agent(model, [failing(RuntimeError("broken"))], middleware=[BudgetMiddleware(token)])
    with pytest.raises(RuntimeError, match="broken"):
        agent.invoke(GO)
    assert token.steps_executed() == 1
