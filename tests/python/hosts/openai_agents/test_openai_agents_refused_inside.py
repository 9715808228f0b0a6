"""A refusal that a tool raises is the tool's output, word for word; and what passes a guarded model by."""

from __future__ import annotations

import copy
import json

import pytest
from agents import Agent, FunctionTool, RunConfig, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

from outlay import Guard, PolicyError, SharedPool, WorkflowQuota
from outlay.openai_agents import guard_tools, wrap

QUIET = RunConfig(tracing_disabled=True)


def look_up(word: str) -> str:
    """Look a word up."""
    SharedPool(capacity_tokens=100).reserve(500)
    return "found " + word


async def invoke(context, text):
    return look_up(json.loads(text)["word"])


SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
TOOLS = {
    "by default": lambda: function_tool(look_up),
    "without words for errors": lambda: function_tool(failure_error_function=None)(look_up),
    "with words of its own": lambda: function_tool(failure_error_function=lambda *_: "Try again!")(look_up),
    "by hand": lambda: FunctionTool("look_up", "Look up.", SCHEMA, invoke, strict_json_schema=False),
}


@pytest.mark.parametrize("kind", list(TOOLS))
async def test_u04_the_model_reads_the_refusal_and_finishes(kind):
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    model = ScriptedModel(
        [[function_call("look_up", {"word": "a"}, call_id="c")], [assistant_message("done")]]
    )
    # The SDK copies the tools of an agent.
    tools = [copy.copy(tool) for tool in guard_tools([TOOLS[kind]()], token)]
    run = await Runner.run(Agent("reader", tools=tools, model=model), "go", run_config=QUIET)
    assert run.final_output == "done"
    (told,) = [item.output for item in run.new_items if item.type == "tool_call_output_item"]
    assert json.loads(told)["details"]["requested"] == 500
    assert token.steps_executed() == 1


async def test_u04_of_an_agent_that_is_a_tool():
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")
    small = wrap(ScriptedModel([[assistant_message("found")]]), SharedPool(capacity_tokens=300))
    scout = Agent("scout", model=small).as_tool("ask_scout", "Asks.")
    model = ScriptedModel(
        [[function_call("ask_scout", {"input": "t"}, call_id="c")], [assistant_message("done")]]
    )
    agent = Agent("boss", tools=guard_tools([scout], token), model=model)
    run = await Runner.run(agent, "go", run_config=QUIET)
    assert run.final_output == "done"
    (told,) = [item.output for item in run.new_items if item.type == "tool_call_output_item"]
    assert json.loads(told)["details"]["total"] == 300


async def test_other_errors_of_a_tool_have_the_sdks_words():
    token = WorkflowQuota.hourly(10, 5).begin_workflow("w-1")

    @function_tool
    def broken(word: str) -> str:
        raise RuntimeError("broken")

    model = ScriptedModel(
        [[function_call("broken", {"word": "a"}, call_id="c")], [assistant_message("done")]]
    )
    agent = Agent("reader", tools=guard_tools([broken], token), model=model)
    run = await Runner.run(agent, "go", run_config=QUIET)
    (told,) = [item.output for item in run.new_items if item.type == "tool_call_output_item"]
    assert "An error occurred" in told


def test_the_client_inside_has_a_word(pool):
    model = ScriptedModel([[assistant_message("Hi")]])
    model._client = "the SDK's"
    with pytest.raises(PolicyError, match=r"outlay\.openai_agents: _client costs money"):
        _ = wrap(model, pool, unguarded="refuse")._client
    assert wrap(model, pool, unguarded="allow")._client == "the SDK's"


@pytest.mark.parametrize(("labels", "agent"), [({}, "boss"), ({"agent": "team"}, "team")])
async def test_the_labels_of_the_tools_come_before_what_the_host_knows(labels, agent):
    """An agent that is named is the one that pays."""
    each = {"name": "each", "scope": {"agent": "*"}, "limit": {"tool_calls": 5}}
    guard = Guard({"budget": [each]})
    model = ScriptedModel([[function_call("ask", {"word": "a"}, call_id="1")], [assistant_message("b")]])

    @function_tool
    def ask(word: str) -> str:
        return word

    await Runner.run(
        Agent("boss", tools=guard_tools([ask], guard, **labels), model=model), "Go", run_config=QUIET
    )
    assert [(one["values"], one["limits"]["tool_calls"]["used"]) for one in guard.snapshot()] == [
        ({"agent": agent}, 1)
    ]
