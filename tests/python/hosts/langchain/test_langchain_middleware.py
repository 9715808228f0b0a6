"""The steps of an agent: tool calls and turns under a budget, refusals that the model can read."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage

from outlay import (
    AgentTokenBudget,
    BudgetLimit,
    BudgetManager,
    PolicyError,
    StepLimitExceeded,
    UsageEstimate,
    WorkflowQuota,
)
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import Reply, ScriptedChatModel


class Tools:
    """Tools that remember what ran."""

    def __init__(self):
        self.ran, self.lock = [], threading.Lock()

    def look_up(self):
        """Return the tool."""

        def look_up(word: str) -> str:
            """Look a word up."""
            with self.lock:
                self.ran.append(word)
            return f"found {word}"

        return look_up


@pytest.fixture
def tools():
    """Return tools that remember what ran."""
    return Tools()


def calls(count):
    """Return an answer that calls the tool many times at once."""
    each = [{"name": "look_up", "args": {"word": str(n)}, "id": f"c{n}"} for n in range(count)]
    return AIMessage("", tool_calls=each)


def workflow(steps):
    """Return the token of a workflow with so many steps."""
    return WorkflowQuota.hourly(10, steps).begin_workflow("w-1")


def agent_budget(calls_budget):
    """Return the handle of an agent with so many calls."""
    manager = BudgetManager()
    manager.set_budget(
        BudgetLimit(agent_id="a", token_budget=None, calls_budget=calls_budget, window_secs=60)
    )
    return manager.agent("a")


LIMITED_TO_THREE = {
    "workflow": lambda: workflow(3),
    "tokens": lambda: AgentTokenBudget("a", 3, 3600, operation_costs={"look_up": 1}),
    "agent": lambda: agent_budget(3),
}
USER = {"messages": [("user", "hi")]}


async def run(agent, asynchronous):
    """Run an agent to its end and return its messages."""
    outcome = await agent.ainvoke(USER) if asynchronous else agent.invoke(USER)
    return outcome["messages"]


def tool_messages(messages):
    """Return the answers of the tools."""
    return [message for message in messages if message.type == "tool"]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("limited", LIMITED_TO_THREE)
async def test_five_parallel_tools_under_a_limit_of_three_run_exactly_three(limited, asynchronous, tools):
    """Three run, two are answered with the refusal, and the agent goes on."""
    model = ScriptedChatModel(script=[calls(5), "done with what I have"])
    middleware = BudgetMiddleware(LIMITED_TO_THREE[limited]())
    messages = await run(create_agent(model, [tools.look_up()], middleware=[middleware]), asynchronous)
    assert len(tools.ran) == 3
    answers = tool_messages(messages)
    assert sorted(answer.status for answer in answers) == ["error"] * 2 + ["success"] * 3
    assert messages[-1].text == "done with what I have"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_refused_tool_answers_with_the_json_that_the_model_reads(asynchronous, tools):
    """The next call of the model holds the refusal as the answer to its tool call."""
    model = ScriptedChatModel(script=[calls(1), "done"])
    agent = create_agent(model, [tools.look_up()], middleware=[BudgetMiddleware(workflow(0))])
    (answer,) = tool_messages(await run(agent, asynchronous))
    assert (answer.tool_call_id, answer.name, answer.status) == ("c0", "look_up", "error")
    payload = json.loads(answer.content)
    assert (payload["error"], payload["type"]) == ("workflow_quota_exceeded", "step_limit")
    assert model.calls[1].messages[-1].content == answer.content
    assert tools.ran == []


def test_agent_over_http_lands_on_its_step_limit(serve, chat, pool, tools):
    """Three tools asked for, two steps left: two run, the model's calls are charged exactly."""
    asked = [{"name": "look_up", "args": {"word": str(n)}, "id": f"c{n}"} for n in range(3)]
    server = serve([Reply(tool_calls=asked), Reply(text="done")])
    model = wrap(chat(server), pool)
    middleware = BudgetMiddleware(workflow(2))
    messages = create_agent(model, [tools.look_up()], middleware=[middleware]).invoke(USER)["messages"]
    assert (len(tools.ran), messages[-1].text) == (2, "done")
    assert pool.committed().total_tokens == sum(usage["total_tokens"] for usage in server.billed)


def test_tool_consumes_one_of_the_operation_named_like_it(tools):
    """The costs of an `AgentTokenBudget` weigh tools by their names."""
    budget = AgentTokenBudget("a", 100, 3600, operation_costs={"look_up": 7})
    model = ScriptedChatModel(script=[calls(2), "done"])
    create_agent(model, [tools.look_up()], middleware=[BudgetMiddleware(budget)]).invoke(USER)
    assert budget.used() == 14


def test_list_of_step_budgets_is_one_decision(tools):
    """A refusal by the last changes nothing in the first."""
    first, last = workflow(5), AgentTokenBudget("a", 0, 3600)
    model = ScriptedChatModel(script=[calls(2), "done"])
    create_agent(model, [tools.look_up()], middleware=[BudgetMiddleware([first, last])]).invoke(USER)
    assert tools.ran == []
    assert first.steps_executed() == 0


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_turns_are_counted_and_the_run_ends_with_the_json(asynchronous, tools):
    """Two turns are allowed: the third ends the run without a call of the model."""
    token = workflow(2)
    model = ScriptedChatModel(script=[calls(1)], repeat=True)
    middleware = BudgetMiddleware(token, steps="turns")
    messages = await run(create_agent(model, [tools.look_up()], middleware=[middleware]), asynchronous)
    assert (len(model.calls), len(tools.ran), token.steps_executed()) == (2, 2, 2)
    assert isinstance(messages[-1], AIMessage)
    assert messages[-1].tool_calls == []
    assert json.loads(messages[-1].text)["error"] == "workflow_quota_exceeded"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_tools_and_turns_may_be_counted_together(asynchronous, tools):
    """Two middlewares in one agent, each with its own budget."""
    turns, steps = workflow(9), workflow(9)
    model = ScriptedChatModel(script=[calls(3), "done"])
    middleware = [BudgetMiddleware(turns, steps="turns"), BudgetMiddleware(steps)]
    await run(create_agent(model, [tools.look_up()], middleware=middleware), asynchronous)
    assert (turns.steps_executed(), steps.steps_executed()) == (2, 3)


class Recorded:
    """A user's own budget, and what happened to its leases."""

    def __init__(self):
        self.asked, self.ended = [], []

    def reserve(self, estimate, **labels):
        """Write the request down."""
        self.asked.append((estimate, labels))
        return self

    def commit(self, usage=None):
        """Write the commit down."""
        self.ended.append("commit")

    def release(self):
        """Write the release down."""
        self.ended.append("release")

    def close(self):
        """Write the end of a failed step down."""
        self.ended.append("close")


def test_own_budget_reserves_a_tool_call_with_its_name(tools):
    """Labels, the tool's name and the run are passed; the step is committed after the tool."""
    own = Recorded()
    model = ScriptedChatModel(script=[calls(1), "done"])
    middleware = BudgetMiddleware(own, agent="coder")
    create_agent(model, [tools.look_up()], middleware=[middleware]).invoke(USER)
    ((estimate, labels),) = own.asked
    assert (estimate, labels.pop("run") != "") == (UsageEstimate(), True)
    assert labels == {"agent": "coder", "tool": "look_up"}
    assert own.ended == ["commit"]


def test_own_budget_is_released_where_a_native_one_refuses(tools):
    """What can be given back is reserved first and given back."""
    own = Recorded()
    model = ScriptedChatModel(script=[calls(1), "done"])
    middleware = BudgetMiddleware([workflow(0), own])
    create_agent(model, [tools.look_up()], middleware=[middleware]).invoke(USER)
    assert own.ended == ["release"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_own_budget_is_closed_where_the_tool_fails(asynchronous):
    """A tool that raises ends the run as it did before, and its lease with it."""

    def look_up(word: str) -> str:
        """Look a word up."""
        raise ConnectionError(word)

    own = Recorded()
    agent = create_agent(ScriptedChatModel(script=[calls(1)]), [look_up], middleware=[BudgetMiddleware(own)])
    with pytest.raises(ConnectionError):
        await run(agent, asynchronous)
    assert own.ended == ["close"]


async def test_own_budget_is_committed_where_the_tool_is_cancelled():
    """A cancelled tool may have done its work."""
    reached = asyncio.Event()

    async def look_up(word: str) -> str:
        """Look a word up."""
        reached.set()
        await asyncio.Event().wait()
        return word

    own = Recorded()
    agent = create_agent(ScriptedChatModel(script=[calls(1)]), [look_up], middleware=[BudgetMiddleware(own)])
    task = asyncio.ensure_future(agent.ainvoke(USER))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert own.ended == ["commit"]


# What a refused step does.


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_end_answers_the_turn_and_then_ends_the_run_with_the_json(asynchronous, tools):
    """The three that fit have run, every call has its answer, and the model is not called again."""
    model = ScriptedChatModel(script=[calls(5)])
    middleware = BudgetMiddleware(workflow(3), on_denied="end")
    messages = await run(create_agent(model, [tools.look_up()], middleware=[middleware]), asynchronous)
    assert sorted(answer.status for answer in tool_messages(messages)) == ["error"] * 2 + ["success"] * 3
    assert (len(tools.ran), len(model.calls)) == (3, 1)
    assert json.loads(messages[-1].text)["type"] == "step_limit"
    assert isinstance(messages[-1], AIMessage)


def test_a_run_that_was_ended_may_be_gone_on_with(tools):
    """Only the refusals of the last turn end a run: the next question is answered."""
    model = ScriptedChatModel(script=[calls(1), "answered"])
    agent = create_agent(
        model, [tools.look_up()], middleware=[BudgetMiddleware(workflow(0), on_denied="end")]
    )
    ended = agent.invoke(USER)["messages"]
    assert agent.invoke({"messages": [*ended, ("user", "and now?")]})["messages"][-1].text == "answered"


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("steps", ["tools", "turns"])
async def test_error_raises_the_refusal(asynchronous, steps, tools):
    """It is outlay's own, and LangChain's, which no retry middleware tries again."""
    model = ScriptedChatModel(script=[calls(1)])
    middleware = BudgetMiddleware(workflow(0), steps=steps, on_denied="error")
    retry = [ToolRetryMiddleware(initial_delay=0), ModelRetryMiddleware(initial_delay=0)]
    agent = create_agent(model, [tools.look_up()], middleware=[*retry, middleware])
    with pytest.raises(StepLimitExceeded) as raised:
        await run(agent, asynchronous)
    assert isinstance(raised.value, ModelError)
    assert (tools.ran, len(model.calls)) == ([], 1 if steps == "tools" else 0)


@pytest.mark.parametrize(("steps", "on_denied"), [("tools", "stop"), ("turns", "continue"), ("tools", 5)])
def test_unknown_endings_are_refused_by_name(steps, on_denied):
    """A turn that is refused has no answer that the model could go on with."""
    with pytest.raises(PolicyError, match="on_denied"):
        BudgetMiddleware(workflow(1), steps=steps, on_denied=on_denied)


def test_own_budget_is_told_which_agent_runs(tools):
    """The name of the agent is a label, unless the middleware names one."""
    asked = []

    class Named:
        def reserve(self, estimate, **labels):
            asked.append(labels)
            return Recorded().reserve(estimate)

    for labels in ({}, {"agent": "mine"}):
        middleware = BudgetMiddleware(Named(), **labels)
        model = ScriptedChatModel(script=[calls(1), "done"])
        create_agent(model, [tools.look_up()], middleware=[middleware], name="coder").invoke(USER)
    assert [one.pop("run") != "" for one in asked] == [True, True]
    assert asked == [{"agent": "coder", "tool": "look_up"}, {"agent": "mine", "tool": "look_up"}]


@pytest.mark.parametrize("steps", ["tool", "", None, 3])
def test_unknown_steps_are_refused_by_name(steps):
    """The error names what is allowed."""
    with pytest.raises(PolicyError, match=r"steps.*tools.*turns"):
        BudgetMiddleware(workflow(1), steps=steps)


def test_pool_is_refused_for_steps(pool):
    """A step has no tokens."""
    with pytest.raises(PolicyError, match="SharedPool"):
        BudgetMiddleware(pool)
