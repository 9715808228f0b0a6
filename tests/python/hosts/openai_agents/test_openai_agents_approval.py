"""Tools that wait for a person: one step over the question and the call, and none without a call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from agents import Agent, RunConfig, Runner, RunState, ToolExecutionConfig, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

from outlay import Guard, WorkflowQuota
from outlay.openai_agents import guard_tools

QUIET = RunConfig(tracing_disabled=True)
BEFORE = replace(QUIET, tool_execution=ToolExecutionConfig(pre_approval_tool_input_guardrails=True))
BOTH = pytest.mark.parametrize("config", [QUIET, BEFORE], ids=["at the call", "before the question"])


async def only_of_a(context, arguments, call_id):
    return arguments["word"] == "a"


def agent_of(budget, *words, needs_approval=True):
    @function_tool(needs_approval=needs_approval)
    def look_up(word: str) -> str:
        """Look a word up."""
        return "found " + word

    calls = [function_call("look_up", {"word": word}, call_id=word) for word in words]
    model = ScriptedModel([calls, [assistant_message("Done.")]])
    return Agent("a", model=model, tools=guard_tools([look_up], budget))


def steps(number):
    return WorkflowQuota.hourly(1, number).begin_workflow("w")


def outputs(run):
    return [item.output for item in run.new_items if item.type == "tool_call_output_item"]


@BOTH
async def test_an_approved_call_is_charged_once_when_it_runs(config):
    token = steps(3)
    agent = agent_of(token, "a")
    run = await Runner.run(agent, "Hi", run_config=config)
    assert token.steps_executed() == 0
    # As a run that goes on in another process.
    state = await RunState.from_string(agent, run.to_state().to_string())
    state.approve(state.get_interruptions()[0])
    run = await Runner.run(agent, state, run_config=config)
    assert (outputs(run), token.steps_executed()) == (["found a"], 1)


@BOTH
async def test_a_rejected_call_costs_nothing(config):
    token = steps(3)
    agent = agent_of(token, "a")
    run = await Runner.run(agent, "Hi", run_config=config)
    state = run.to_state()
    state.reject(run.interruptions[0])
    await Runner.run(agent, state, run_config=config)
    assert token.steps_executed() == 0


@BOTH
async def test_a_call_that_needs_no_approval_beside_one_that_does_is_charged_once(config):
    token = steps(3)
    agent = agent_of(token, "a", "b", needs_approval=only_of_a)
    run = await Runner.run(agent, "Hi", run_config=config)
    assert (outputs(run), token.steps_executed()) == (["found b"], 1)
    state = run.to_state()
    state.approve(run.interruptions[0])
    await Runner.run(agent, state, run_config=config)
    assert token.steps_executed() == 2


async def test_without_room_no_person_is_asked():
    token = steps(0)
    run = await Runner.run(agent_of(token, "a"), "Hi", run_config=BEFORE)
    assert run.interruptions == []
    assert '"type":"step_limit"' in outputs(run)[0]


@BOTH
async def test_room_that_is_gone_at_the_call_refuses_it_then(config):
    token = steps(1)
    agent = agent_of(token, "a")
    run = await Runner.run(agent, "Hi", run_config=config)
    token.execute_step()
    state = run.to_state()
    state.approve(run.interruptions[0])
    run = await Runner.run(agent, state, run_config=config)
    assert '"type":"step_limit"' in outputs(run)[0]
    assert token.steps_executed() == 1


def used(guard):
    return sum(counter["limits"]["calls"]["used"] for counter in guard.snapshot())


@BOTH
async def test_a_guard_and_two_layers_are_charged_once(config):
    guard, token = Guard({"tool": [{"name": "look_up", "limit": {"calls": 5}}]}), steps(3)
    agent = agent_of(guard, "a")
    agent.tools = guard_tools(agent.tools, [guard, token])
    run = await Runner.run(agent, "Hi", run_config=config)
    assert (used(guard), token.steps_executed()) == (0, 0)
    state = run.to_state()
    state.approve(run.interruptions[0])
    await Runner.run(agent, state, run_config=config)
    assert (used(guard), token.steps_executed()) == (1, 1)
