"""Book at once: a constant name, names made at run time, a listener."""

from __future__ import annotations

from by_hand.budget import LockedBudget
from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.floors import NO_ARGUMENT, OBJECTS, PYTHON

GROUP = floors.with_floors("Book at once")
GROUP.case(OBJECTS)(floors.objects)
GROUP.case(NO_ARGUMENT)(floors.no_argument)
GROUP.case(PYTHON)(floors.python)
BY_HAND = "by hand: consume with a lock and a window"
CONSUME = "`consume`"
MAKE_NAME = "make one of four names"
LIMITS = {"token_budget": PLENTY, "calls_budget": PLENTY, "window_secs": 3600}


def consuming(budget) -> Loop:
    def run(count):
        for _ in range(count):
            budget.consume("query", 5)

    return run


@GROUP.case(BY_HAND)
def by_hand() -> Loop:
    return consuming(LockedBudget(PLENTY, 3600, {"query": 1}))


@GROUP.case(CONSUME, beside=OBJECTS)
def consume() -> Loop:
    return consuming(outlay.AgentTokenBudget("a", PLENTY, 3600))


@GROUP.case("`consume`, eight other names were used first", beside=CONSUME)
def consume_ninth() -> Loop:
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)
    for number in range(8):
        budget.consume(f"other-{number}", 1)
    return consuming(budget)


@GROUP.case(MAKE_NAME, beside=CONSUME)
def name() -> Loop:
    def run(count):
        for number in range(count):
            f"op-{number & 3}"

    return run


@GROUP.case("`consume`, a name made at run time (less the name)", beside=CONSUME, less=MAKE_NAME)
def consume_made() -> Loop:
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)

    def run(count):
        for number in range(count):
            budget.consume(f"op-{number & 3}", 5)

    return run


@GROUP.case("`consume`, `on_warning=` given", beside=CONSUME)
def consume_listened() -> Loop:
    return consuming(outlay.AgentTokenBudget("a", PLENTY, 3600, on_warning=print))


@GROUP.case("`try_consume`", beside=OBJECTS)
def try_consume() -> Loop:
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)

    def run(count):
        for _ in range(count):
            budget.try_consume("query", 5)

    return run


@GROUP.case("`execute_step()`", beside=NO_ARGUMENT)
def execute_step() -> Loop:
    token = outlay.WorkflowQuota.hourly(1, PLENTY).begin_workflow("w")

    def run(count):
        for _ in range(count):
            token.execute_step()

    return run


def managed(agents: int) -> outlay.BudgetManager:
    """Return a manager with so many agents."""
    manager = outlay.BudgetManager()
    for number in range(agents):
        manager.set_budget(outlay.BudgetLimit(agent_id=f"agent-{number}", **LIMITS))
    return manager


@GROUP.case("`BudgetManager.reserve(id)`, 1,000 agents", beside=OBJECTS)
def manager_reserve() -> Loop:
    manager = managed(1_000)

    def run(count):
        for _ in range(count):
            manager.reserve("agent-7", 5)

    return run


@GROUP.case("the same, 10,000 agents in turn", beside=OBJECTS)
def manager_in_turn() -> Loop:
    manager = managed(10_000)
    names = [f"agent-{number}" for number in range(10_000)]

    def run(count):
        for number in range(count):
            manager.reserve(names[number % 10_000], 5)

    return run


@GROUP.case("`charge` of an agent's handle")
def agent_charge() -> Loop:
    agent = managed(1).agent("agent-0")

    def run(count):
        for _ in range(count):
            agent.charge(5)

    return run
