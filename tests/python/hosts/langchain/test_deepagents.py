"""deepagents: the wrapped model that it is given is asked by the agent, its sub-agents and its summariser."""

from __future__ import annotations

import pytest

pytest.importorskip("deepagents", reason="deepagents is in the dependency group `others`")

from deepagents import create_deep_agent
from langchain_core.messages import AIMessage

from outlay import LimitExceeded, WorkflowQuota
from outlay.langchain import BudgetMiddleware, audit, wrap
from outlay.testing import ScriptedChatModel, tool_call

USAGE = {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}


def said(text):
    """Return an answer of 42 tokens."""
    return AIMessage(text, usage_metadata=USAGE)


def delegate(kind="general-purpose"):
    """Return a call of the tool that starts a sub-agent, 42 tokens."""
    call = tool_call("task", description="Look it up.", subagent_type=kind)
    return call.model_copy(update={"usage_metadata": USAGE})


async def run(agent, asynchronous, *messages):
    """Run an agent to its end."""
    given = {"messages": list(messages) or [("user", "hi")]}
    return await agent.ainvoke(given) if asynchronous else agent.invoke(given)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_sub_agent_spends_from_the_same_budget(asynchronous, pool):
    """The agent asks, delegates, and sums up: three calls, three leases."""
    model = ScriptedChatModel(script=[delegate(), said("found"), said("done")])
    outcome = await run(create_deep_agent(model=wrap(model, pool)), asynchronous)
    assert outcome["messages"][-1].text == "done"
    assert (len(model.calls), pool.committed().total_tokens) == (3, 3 * 42)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_sub_agent_of_ones_own_with_a_model_of_its_own(asynchronous, pool, make_pool):
    """Each model spends where it was wrapped; one that was forgotten is seen by `audit`."""
    own, forgotten = make_pool(), ScriptedChatModel(script=[said("c")], model_name="forgotten")
    helper = ScriptedChatModel(script=[said("b")])
    agents = [
        {"name": "helper", "description": "d", "system_prompt": "s", "model": wrap(helper, own)},
        {"name": "other", "description": "d", "system_prompt": "s", "model": forgotten},
    ]
    model = ScriptedChatModel(script=[delegate("helper"), delegate("other"), said("done")])
    agent = create_deep_agent(model=wrap(model, pool), subagents=agents)
    with audit() as seen:
        await run(agent, asynchronous)
    assert (pool.committed().total_tokens, own.committed().total_tokens) == (3 * 42, 42)
    assert [call.model for call in seen.calls] == ["forgotten"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_summariser_spends_from_the_same_budget(asynchronous, pool):
    """A history that is too long is summarised by a call that no middleware sees."""
    model = ScriptedChatModel(script=[said("summary"), said("done")], profile={"max_input_tokens": 8_000})
    history = [("user" if n % 2 == 0 else "assistant", "word " * 3_000) for n in range(6)]
    outcome = await run(create_deep_agent(model=wrap(model, pool)), asynchronous, *history, ("user", "so?"))
    assert outcome["messages"][-1].text == "done"
    assert (len(model.calls), pool.committed().total_tokens) == (2, 2 * 42)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_refusal_in_a_sub_agent_reaches_the_caller(asynchronous, make_pool):
    """Room for the agent's call and not for that of its sub-agent: it is refused before it is made."""
    token = WorkflowQuota.hourly(1, 1).begin_workflow("w")
    model = ScriptedChatModel(script=[delegate(), said("found")])
    with pytest.raises(LimitExceeded):
        await run(create_deep_agent(model=wrap(model, token)), asynchronous)
    assert len(model.calls) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_middleware_alone_misses_the_sub_agent(asynchronous):
    """Why the model is wrapped: what middleware counts is the outer agent's turns."""
    token = WorkflowQuota.hourly(1, 9).begin_workflow("w")
    model = ScriptedChatModel(script=[delegate(), said("found"), said("done")])
    agent = create_deep_agent(model=model, middleware=[BudgetMiddleware(token, steps="turns")])
    await run(agent, asynchronous)
    assert (len(model.calls), token.steps_executed()) == (3, 2)
