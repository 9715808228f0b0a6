"""Each run of an agent is a run of the rules by run, unless the caller has opened one."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from outlay import Guard
from outlay.langchain import BudgetMiddleware, wrap
from outlay.testing import ScriptedChatModel, tool_call

ASK = {"messages": [("user", "hi")]}


def look_up(word: str) -> str:
    """Look a word up."""
    return "found " + word


def by_run(limit=100):
    """Return a guard with one rule by run, for calls of models and of tools."""
    return Guard({"budget": [{"name": "runs", "limit": {"calls": limit}, "window": "run"}]})


def counted(guard):
    """Return the calls of each run."""
    return {one["values"].get("run"): one["limits"]["calls"]["used"] for one in guard.snapshot()}


def scripted(runs=1, tool="look_up"):
    return ScriptedChatModel(script=[tool_call(tool, word="a"), "done"] * runs)


def agent_of(guard, runs=1, **middleware):
    """Return an agent whose run makes three calls: two of its model, one of a tool."""
    budget = BudgetMiddleware(middleware.pop("budget", guard), **middleware)
    return create_agent(wrap(scripted(runs), guard), [look_up], middleware=[budget])


async def run(agent, mode, given=ASK, config=None):
    """Run an agent to its end, and return its last message."""
    if mode == "invoke":
        return agent.invoke(given, config)["messages"][-1].text
    if mode == "ainvoke":
        return (await agent.ainvoke(given, config))["messages"][-1].text
    if mode == "stream":
        return list(agent.stream(given, config, stream_mode="values"))[-1]["messages"][-1].text
    return [one async for one in agent.astream(given, config, stream_mode="values")][-1]["messages"][-1].text


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream"])
async def test_each_run_has_a_counter_of_its_own(mode):
    """All runs without a label shared the counter of no run, and the second one was refused for ever."""
    guard = by_run(limit=3)
    agent = agent_of(guard, runs=3)
    for _ in range(3):
        assert await run(agent, mode) == "done"
    assert sorted(counted(guard).values()) == [3, 3, 3]
    assert None not in counted(guard)


async def test_runs_side_by_side_are_told_apart():
    """In tasks and in threads; each is in its own run from its first call to its last."""
    guard = by_run(limit=3)
    agents = [agent_of(guard) for _ in range(12)]
    assert await asyncio.gather(*(run(agent, "ainvoke") for agent in agents[:6])) == ["done"] * 6
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda agent: agent.invoke(ASK)["messages"][-1].text, agents[6:]))
    assert answers == ["done"] * 6
    assert sorted(counted(guard).values()) == [3] * 12


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_workflow_counts_the_turns_of_each_run(mode):
    """Two turns a run: the steps of one run do not use up those of the next."""
    guard = Guard({"workflow": [{"name": "w", "limit": {"steps": 2}}]})
    middleware = BudgetMiddleware(guard, steps="turns", workflow="w")
    agent = create_agent(scripted(2), [look_up], middleware=[middleware])
    assert [await run(agent, mode) for _ in range(2)] == ["done", "done"]
    assert [one["limits"]["steps"]["used"] for one in guard.snapshot()] == [2, 2]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_agent_inside_a_tool_is_in_the_run_of_its_caller(asynchronous):
    """Its own middleware opens none: one is open."""
    guard = by_run()
    inner = agent_of(guard, runs=2)
    if asynchronous:

        async def ask(word: str) -> str:
            """Ask the other agent."""
            return (await inner.ainvoke(ASK))["messages"][-1].text + word
    else:

        def ask(word: str) -> str:
            """Ask the other agent."""
            return inner.invoke(ASK)["messages"][-1].text + word

    outer = create_agent(wrap(scripted(2, tool="ask"), guard), [ask], middleware=[BudgetMiddleware(guard)])
    for _ in range(2):
        assert await run(outer, "ainvoke" if asynchronous else "invoke") == "done"
    assert sorted(counted(guard).values()) == [6, 6]


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream"])
async def test_the_run_that_the_caller_opened_comes_first(mode):
    """Two runs of the agent in one run of the caller."""
    guard = by_run()
    agent = agent_of(guard, runs=2)
    with guard.run("mine"):
        for _ in range(2):
            await run(agent, mode)
    assert counted(guard) == {"mine": 6}


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_the_run_that_the_middleware_names_comes_before_a_new_one(mode):
    """Its label `run=`, or that of its view or part: the model of the guard alone is in that run too."""
    guard = by_run()
    await run(agent_of(guard, run="named"), mode)
    await run(agent_of(guard, budget=guard.bind(run="bound")), mode)
    with guard.allot(calls=9, run="part") as part:
        await run(agent_of(guard, budget=part), mode)
    assert counted(guard) == {"named": 3, "bound": 3, "part": 3}


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_two_middlewares_are_in_one_run(mode):
    guard, other = by_run(), by_run()
    both = [BudgetMiddleware(guard), BudgetMiddleware(other)]
    agent = create_agent(scripted(2), [look_up], middleware=both)
    for _ in range(2):
        await run(agent, mode)
    assert counted(guard) == counted(other)
    assert sorted(counted(guard).values()) == [1, 1]


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_run_that_goes_on_after_an_interrupt_keeps_its_counter(mode):
    """The next run of the same thread has another one."""
    guard = by_run()

    def look_up(word: str) -> str:
        """Ask a human."""
        return f"a human said {interrupt(word)}"

    agent = create_agent(
        wrap(scripted(2), guard),
        [look_up],
        middleware=[BudgetMiddleware(guard)],
        checkpointer=InMemorySaver(),
    )
    thread = {"configurable": {"thread_id": "t-1"}}
    for _ in range(2):
        await run(agent, mode, ASK, thread)
        assert await run(agent, mode, Command(resume="yes"), thread) == "done"
    assert sorted(counted(guard).values()) == [3, 3]


def test_a_run_of_the_caller_that_was_interrupted_goes_on_where_none_is_open():
    """The thread remembers it; another run that is open comes first."""
    guard = by_run()

    def look_up(word: str) -> str:
        """Ask a human."""
        return f"a human said {interrupt(word)}"

    middleware = [BudgetMiddleware(guard)]
    agent = create_agent(
        wrap(scripted(2), guard), [look_up], middleware=middleware, checkpointer=InMemorySaver()
    )
    thread = {"configurable": {"thread_id": "t-1"}}
    with guard.run("mine"):
        agent.invoke(ASK, thread)
    agent.invoke(Command(resume="yes"), thread)
    assert counted(guard) == {"mine": 3}
    agent.invoke(ASK, thread)
    with guard.run("later"):
        agent.invoke(Command(resume="yes"), thread)
    assert counted(guard)["later"] == 2


def test_a_run_says_nothing_to_its_caller():
    """Neither the answer nor the code after it knows of the run."""
    guard = by_run()
    agent = agent_of(guard)
    assert set(agent.invoke(ASK)) == {"messages"}
    guard.reserve().commit()
    assert counted(guard)[None] == 1


def test_a_call_in_a_hook_of_another_middleware_is_in_no_run():
    """As the page says: a hook that is no wrap is a step of the graph by itself."""
    guard = by_run()
    titles = wrap(ScriptedChatModel(script=["title"]), guard)

    class Title(AgentMiddleware):
        """Asks a model before the turn."""

        def before_model(self, state, runtime):
            """Ask."""
            if len(state["messages"]) == 1:
                titles.invoke("A title.")

    middleware = [BudgetMiddleware(guard), Title()]
    create_agent(wrap(scripted(), guard), [look_up], middleware=middleware).invoke(ASK)
    assert Counter(run is None for run in counted(guard)) == {True: 1, False: 1}
    assert counted(guard)[None] == 1


def test_a_tool_node_outside_an_agent_opens_none():
    """There is no run of an agent."""
    guard = by_run()
    node = ToolNode([look_up], wrap_tool_call=BudgetMiddleware(guard).wrap_tool_call)
    from langgraph.graph import END, START, MessagesState, StateGraph

    graph = StateGraph(MessagesState)
    graph.add_node("tools", node)
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    graph.compile().invoke({"messages": [tool_call("look_up", word="a")]})
    assert counted(guard) == {None: 1}
