"""The cases of a host whose calls are steps: the tool calls of a server, each held by the same name.

Such a driver has `steps = True` and `tools(budget, **options)`, an async context manager: it gives a function
that calls `look_up` with a word and returns whether the result is an error, and its text; and the list of
the words that the tool was run with. "held" as the word stands still in the tool, "bad" fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from kit import Recorded, World

from outlay import Guard, PolicyError, WorkflowQuota, WorkflowToken

THREADS = 32
Check = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class StepCase:
    """One case: what it says of a step, and the check."""

    says: str
    check: Check


STEP_CASES: dict[str, StepCase] = {}


def step_case(says: str) -> Callable[[Check], Check]:
    """Register a case under the name of its function."""

    def register(check: Check) -> Check:
        STEP_CASES[check.__name__] = StepCase(says, check)
        return check

    return register


def steps(number: int) -> WorkflowToken:
    """Return a workflow of so many steps."""
    return WorkflowQuota.hourly(1, number).begin_workflow("conformance")


@step_case("A tool for which there is a step runs, and answers as without a budget.")
async def allow(world: World) -> None:
    async with world.driver.tools(steps(1)) as (call, ran):
        assert await call("a") == (False, "found a")
    assert ran == ["a"]


@step_case("A tool for which there is no step does not run.")
async def deny(world: World) -> None:
    token = steps(0)
    async with world.driver.tools(token) as (call, ran):
        assert (await call("a"))[0]
    assert (ran, token.steps_executed()) == ([], 0)


@step_case("What has run is what is booked, tools that fail too.")
async def exact_usage(world: World) -> None:
    token = steps(10)
    async with world.driver.tools(token) as (call, ran):
        for word in ("a", "bad", "b"):
            await call(word)
    assert token.steps_executed() == len(ran) == 3


@step_case("A call that is cancelled while the tool runs has made its step.")
async def cancel_during(world: World) -> None:
    token = steps(10)
    async with world.driver.tools(token) as (call, ran):
        task = asyncio.ensure_future(call("held"))
        while not ran:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    assert token.steps_executed() == 1


@step_case("A call that is made again after an error is a step of its own.")
async def retry_outside(world: World) -> None:
    token = steps(2)
    async with world.driver.tools(token) as (call, ran):
        assert (await call("bad"))[0]
        assert await call("a") == (False, "found a")
    assert token.steps_executed() == len(ran) == 2


@step_case("Of many calls at once as many run as there are steps.")
async def threads(world: World) -> None:
    token = steps(10)
    async with world.driver.tools(token) as (call, ran):
        results = await asyncio.gather(*(call(str(number)) for number in range(THREADS)))
    assert [error for error, _ in results].count(False) == len(ran) == token.steps_executed() == 10


@step_case("Two wrapped layers on one budget charge it once.")
async def stacked(world: World) -> None:
    token = steps(10)
    async with world.driver.tools(token, layers=2) as (call, ran):
        await call("a")
    assert token.steps_executed() == len(ran) == 1


@step_case("An answer out of the host's cache costs nothing.")
async def cache_hit(world: World) -> None:
    token = steps(10)
    async with world.driver.tools(token, cached=True) as (call, ran):
        assert await call("a") == await call("a") == (False, "found a")
    assert token.steps_executed() == len(ran) == 1


@step_case("After tools that ran, failed and were refused, no lease of a user's own budget is open.")
async def no_open_leases(world: World) -> None:
    own, refusing = Recorded(world.pool()), steps(4)
    async with world.driver.tools([own, refusing]) as (call, ran):
        for word in ("a", "bad", "b", "bad", "c", "d"):
            await call(word)
            assert own.pool.open_leases() == []
    assert len(ran) == refusing.steps_executed() == 4


@step_case("A refusal is an error result with outlay's own JSON, and is not tried again.")
async def exception_type(world: World) -> None:
    class Counted(Recorded):
        def reserve(self, estimate: Any, **labels: str) -> Any:
            super().reserve(estimate, **labels).release()
            return full.reserve(1)

    full = world.pool(0)
    own = Counted(world.pool())
    async with world.driver.tools(own, retried=True) as (call, ran):
        error, text = await call("a")
    assert (error, own.asked, ran) == (True, 1, [])
    assert json.loads(text)["error"] == "threshold_exceeded"


@step_case("Each call of a tool is one decision for the listeners of a guard, with the tool as a label.")
async def decision_event(world: World) -> None:
    guard, told = Guard({"tool": [{"name": "look_up", "limit": {"calls": 1}}]}), []
    guard.events(told.append)
    with guard.scope(user="ann"):
        async with world.driver.tools(guard) as (call, ran):
            assert [(await call(word))[0] for word in "ab"] == [False, True]
    passed, refused = (event for event in told if event["event"] == "decision")
    assert (passed["allowed"], refused["allowed"], ran) == (True, False, ["a"])
    assert (refused["rule"], refused["kind"], refused["reason"]) == ("look_up", "tool", "spent")
    for event in (passed, refused):
        assert event["labels"].items() >= {"tool": "look_up", "user": "ann"}.items()


@step_case("A user's own budget is given all labels; one that is async can not count steps.")
async def own_budget(world: World) -> None:
    given: list[dict[str, str]] = []

    class Own(Recorded):
        def reserve(self, estimate: Any, **labels: str) -> Any:
            given.append(labels)
            return super().reserve(estimate, **labels)

    class Slow:
        async def reserve(self, estimate: Any, **labels: str) -> Any:
            raise AssertionError("it was asked")

    with Guard({}).scope(user="ann"):
        async with world.driver.tools(Own(world.pool())) as (call, _):
            assert not (await call("a"))[0]
    assert given[0].items() >= {"tool": "look_up", "user": "ann"}.items()
    with pytest.raises(PolicyError, match=r"Slow\.reserve is async"):
        async with world.driver.tools(Slow()) as (call, _):
            await call("a")
