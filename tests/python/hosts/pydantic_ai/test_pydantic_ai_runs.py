"""Each run of an agent is a run of the rules by run, unless the caller has opened one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.models.test import TestModel

from outlay import Guard, InvalidId
from outlay.pydantic_ai import BudgetCapability


def by_run(limit=100):
    """Return a guard with one rule by run, for calls of models and of tools."""
    return Guard({"budget": [{"name": "runs", "limit": {"calls": limit}, "window": "run"}]})


def counted(guard):
    """Return the calls of each run."""
    return {one["values"].get("run"): one["limits"]["calls"]["used"] for one in guard.snapshot()}


def agent_of(guard, tool=None, **capability):
    """Return an agent whose run makes three calls: two of its model, one of a tool."""
    budget = BudgetCapability(capability.pop("budget", guard), **capability)
    agent = Agent(TestModel(), capabilities=[budget])

    async def look_up(word: str) -> str:
        await asyncio.sleep(0)
        return "found " + word

    agent.tool_plain(tool or look_up)
    return agent


async def _run(agent):
    return (await agent.run("Hi")).run_id


async def _run_stream(agent):
    async with agent.run_stream("Hi") as run:
        await run.get_output()
    return run.run_id


async def _iter(agent):
    async with agent.iter("Hi") as run:
        async for _ in run:
            pass
    return run.result.run_id


async def _events(agent):
    async with agent.run_stream_events("Hi") as events:
        *_, last = [event async for event in events]
    return last.result.run_id


MODES = pytest.mark.parametrize("run", [_run, _run_stream, _iter, _events])


@MODES
async def test_each_run_has_a_counter_by_the_id_of_the_host(run):
    """All runs without a label shared the counter of no run, and the second one was refused for ever."""
    guard = by_run(limit=3)
    agent = agent_of(guard)
    ids = [await run(agent) for _ in range(3)]
    assert counted(guard) == dict.fromkeys(ids, 3)
    assert len(set(ids)) == 3


def test_a_run_that_waits_for_its_answer_has_one_too():
    """`run_sync` has a loop of its own."""
    guard = by_run(limit=3)
    agent = agent_of(guard)
    ids = [agent.run_sync("Hi").run_id for _ in range(2)]
    assert counted(guard) == dict.fromkeys(ids, 3)


async def test_runs_side_by_side_are_told_apart():
    """In tasks and in threads; each is in its own run from its first call to its last."""
    guard = by_run(limit=3)
    agent = agent_of(guard)
    ids = await asyncio.gather(*(_run(agent) for _ in range(6)))

    def in_thread(_):
        return agent.run_sync("Hi").run_id

    with ThreadPoolExecutor(6) as pool:
        futures = [asyncio.wrap_future(pool.submit(in_thread, number)) for number in range(6)]
        ids += await asyncio.gather(*futures)
    assert counted(guard) == dict.fromkeys(ids, 3)
    assert len(set(ids)) == 12


@MODES
async def test_an_agent_inside_a_tool_is_in_the_run_of_its_caller(run):
    """Its own capability opens none: one is open."""
    guard = by_run()
    inner = agent_of(guard)

    async def ask(word: str) -> str:
        return (await inner.run("Hi")).output + word

    outer = agent_of(guard, ask)
    ids = [await run(outer) for _ in range(2)]
    assert counted(guard) == dict.fromkeys(ids, 6)


@MODES
async def test_the_run_that_the_caller_opened_comes_first(run):
    guard = by_run()
    agent = agent_of(guard)
    with guard.run("mine"):
        for _ in range(2):
            await run(agent)
    assert counted(guard) == {"mine": 6}


@MODES
async def test_the_run_that_the_capability_names_comes_before_the_one_of_the_host(run):
    """Its label `run=`, or the one of its bound view or part; so is that of a sub-agent that names none."""
    guard = by_run()
    inner = agent_of(guard)

    async def ask(word: str) -> str:
        return (await inner.run("Hi")).output + word

    await run(agent_of(guard, ask, run="named"))
    await run(agent_of(guard, ask, budget=guard.bind(run="bound")))
    with guard.allot(calls=9, run="part") as part:
        await run(agent_of(guard, ask, budget=part))
    assert counted(guard) == {"named": 6, "bound": 6, "part": 6}


@MODES
async def test_after_a_run_none_is_open(run):
    """Not even after one that failed."""
    guard = by_run(limit=3)
    await run(agent_of(guard))

    async def broken(word: str) -> str:
        raise ValueError(word)

    with pytest.raises(ValueError, match="a"):
        await run(agent_of(guard, broken))
    guard.reserve().commit()
    assert counted(guard)[None] == 1


async def test_a_run_that_is_left_early_leaves_none_open():
    guard = by_run()
    async with agent_of(guard).iter("Hi") as run:
        async for node in run:
            if Agent.is_call_tools_node(node):
                break
    guard.reserve().commit()
    assert counted(guard) == {run.ctx.state.run_id: 1, None: 1}


def test_a_run_that_goes_on_with_deferred_results_is_another_one_unless_the_caller_opens_it():
    """Pydantic AI gives it another `run_id`, so it has to be named."""
    guard = by_run()
    agent = Agent(
        TestModel(), capabilities=[BudgetCapability(guard)], output_type=[str, DeferredToolRequests]
    )

    @agent.tool
    def pay(ctx: RunContext[None], amount: int) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return "paid"

    def go_on(stopped):
        (asked,) = stopped.output.approvals
        results = DeferredToolResults(approvals={asked.tool_call_id: True})
        return agent.run_sync(message_history=stopped.all_messages(), deferred_tool_results=results)

    stopped = agent.run_sync("Pay.")
    done = go_on(stopped)
    assert counted(guard) == {stopped.run_id: 1, done.run_id: 2}
    with guard.run("mine"):
        stopped = agent.run_sync("Pay.")
    with guard.run("mine"):
        go_on(stopped)
    assert counted(guard)["mine"] == 3


async def test_a_run_id_that_no_label_can_have_is_refused_at_once():
    with pytest.raises(InvalidId, match="run_id must be a str"):
        await agent_of(by_run()).run("Hi", run_id="x" * 1_025)
