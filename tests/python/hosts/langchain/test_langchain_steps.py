"""Steps that are charged once, those that are given back, and budgets that cannot count them."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from outlay import AgentTokenBudget, Guard, PolicyError, RateLimiter, WorkflowQuota
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import ScriptedChatModel, tool_call

ASK = {"messages": [("user", "hi")]}


def look_up(word: str) -> str:
    """Look a word up."""
    return "found " + word


def scripted(name="look_up"):
    return ScriptedChatModel(script=[tool_call(name, word="a"), "done"])


def token():
    return WorkflowQuota.hourly(10, 10).begin_workflow("w-1")


@pytest.mark.parametrize(("steps", "expected"), [("tools", 1), ("turns", 2)])
@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_two_middlewares_on_one_budget_charge_a_step_once(steps, expected, mode):
    """The outer one pays, as with wraps; a budget that only the inner one has is asked all the same."""
    shared, other = token(), token()
    both = [BudgetMiddleware(shared, steps=steps), BudgetMiddleware([other, shared], steps=steps)]
    agent = create_agent(scripted(), [look_up], middleware=both)
    if mode == "invoke":
        agent.invoke(ASK)
    else:
        await agent.ainvoke(ASK)
    assert (shared.steps_executed(), other.steps_executed()) == (expected, expected)


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_turn_and_its_wrapped_model_are_one_step(mode):
    """Both name one workflow: the turn is the step, and the model's call is that turn."""
    steps = token()
    agent = create_agent(
        wrap(scripted(), steps), [look_up], middleware=[BudgetMiddleware(steps, steps="turns")]
    )
    if mode == "invoke":
        agent.invoke(ASK)
    else:
        await agent.ainvoke(ASK)
    assert steps.steps_executed() == 2
    wrap(scripted(), steps).invoke("hi")
    assert steps.steps_executed() == 3


def test_a_turn_does_not_pay_for_the_tokens_of_its_model(pool):
    """It consumed 1, which is no reason to let a thousand tokens by."""
    tokens = AgentTokenBudget.daily("a-1", 100_000)
    agent = create_agent(
        wrap(scripted(), [tokens, pool]), [look_up], middleware=[BudgetMiddleware(tokens, steps="turns")]
    )
    agent.invoke(ASK)
    assert tokens.used() == pool.committed().total_tokens + 2


def test_a_sub_agent_makes_steps_of_its_own():
    """Its tool calls are others, though a step is under way around them."""
    steps = token()
    inner = create_agent(scripted(), [look_up], middleware=[BudgetMiddleware(steps)])

    def ask(word: str) -> str:
        """Ask the other agent."""
        return inner.invoke(ASK)["messages"][-1].content + word

    create_agent(scripted("ask"), [ask], middleware=[BudgetMiddleware(steps)]).invoke(ASK)
    assert steps.steps_executed() == 2


def test_a_tool_that_fails_has_made_a_step_of_a_guard():
    """A guard gave the call back, so that a limit of two tries was no limit."""
    guard, tries = Guard({"tool": [{"name": "broken", "limit": {"calls": 2}}]}), []

    def broken(word: str) -> str:
        """Fail."""
        tries.append(word)
        raise ValueError(word)

    retries = ToolRetryMiddleware(max_retries=5, initial_delay=0, jitter=False)
    agent = create_agent(scripted("broken"), [broken], middleware=[retries, BudgetMiddleware(guard)])
    assert "budget_exceeded" in agent.invoke(ASK)["messages"][-2].content
    assert len(tries) == 2
    assert guard.snapshot()[0]["limits"]["calls"]["used"] == 2


def test_what_cannot_count_steps_is_refused_at_once():
    """And not by the first tool call of a run that has begun."""
    guard = Guard({"budget": [{"name": "all", "limit": {"calls": 10}}]})
    with pytest.raises(PolicyError, match="budget: a RateLimiter counts tokens, and a step uses none"):
        BudgetMiddleware([token(), RateLimiter(1_000)])
    part = guard.allot(calls=5)
    create_agent(scripted(), [look_up], middleware=[BudgetMiddleware(part)]).invoke(ASK)
    assert part.remaining()["calls"] == 4


@pytest.mark.parametrize("kind", ["workflow", "guard", "tokens", "run"])
def test_a_tool_that_interrupts_the_graph_pays_once(kind):
    """The graph runs it again from its start: a limit of one step is enough for both."""
    runs = []

    def approve(word: str) -> str:
        """Ask a human."""
        runs.append(word)
        return f"a human said {interrupt(word)}"

    def resumed(limit):
        workflow = WorkflowQuota.hourly(1, limit).begin_workflow(f"w-{limit}")
        guard = Guard({"tool": [{"name": "approve", "limit": {"calls": limit}}]})
        tokens = AgentTokenBudget.hourly("a", limit)
        run = Guard({"workflow": [{"name": "w", "limit": {"tool_calls": limit}}]})
        budgets = {"workflow": workflow, "guard": guard, "tokens": tokens, "run": run}
        script = [tool_call("approve", word="pay"), "Done."]
        agent = create_agent(
            ScriptedChatModel(script=script),
            [approve],
            middleware=[BudgetMiddleware(budgets[kind], workflow="w")],
            checkpointer=InMemorySaver(),
        )
        thread = {"configurable": {"thread_id": "t-1"}}
        stopped = agent.invoke({"messages": [("user", "Pay.")]}, thread)
        assert [one.value for one in stopped["__interrupt__"]] == ["pay"]
        messages = agent.invoke(Command(resume="yes"), thread)["messages"]
        told = [message for message in messages if message.type == "tool"]
        used = {
            "workflow": workflow.steps_executed(),
            "tokens": limit - tokens.remaining(),
            "guard": sum(one["limits"]["calls"]["used"] for one in guard.snapshot()),
            "run": sum(one["limits"]["tool_calls"]["used"] for one in run.snapshot()),
        }
        return told[0].status, used[kind]

    assert resumed(1) == ("success", 1)
    assert len(runs) == 2
    assert resumed(2) == ("success", 1)
