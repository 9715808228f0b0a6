"""Hold and settle, with an estimate and a usage that are there."""

from __future__ import annotations

from by_hand.pool import LockedPool
from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.charges import LIMITS

GROUP = floors.with_floors("Reserve and commit, objects made before")
BY_HAND = "by hand: reserve + commit, two limits and a lock"


def pool() -> outlay.SharedPool:
    """Return a pool of tokens and money."""
    return outlay.SharedPool(capacity_tokens=PLENTY, capacity_cost_micros_usd=PLENTY)


@GROUP.case(BY_HAND)
def by_hand() -> Loop:
    plain = LockedPool(PLENTY, PLENTY)

    def run(count):
        for _ in range(count):
            plain.commit(plain.reserve(100, 5), 98, 4)

    return run


@GROUP.case("pool: `reserve(estimate).commit(usage)`", beside=BY_HAND)
def reserve_commit() -> Loop:
    shared = pool()
    estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
    usage = outlay.Usage(input_tokens=90, output_tokens=8, cost_micros_usd=4)

    def run(count):
        for _ in range(count):
            shared.reserve(estimate).commit(usage)

    return run


@GROUP.case("pool: `reserve(100).commit(98)`", beside=BY_HAND)
def reserve_tokens() -> Loop:
    shared = outlay.SharedPool(capacity_tokens=PLENTY)

    def run(count):
        for _ in range(count):
            shared.reserve(100).commit(98)

    return run


@GROUP.case("pool: `reserve(estimate).release()`", beside=BY_HAND)
def reserve_release() -> Loop:
    shared = pool()
    estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)

    def run(count):
        for _ in range(count):
            shared.reserve(estimate).release()

    return run


@GROUP.case("token budget: `reserve(name, 100).commit(98)`", beside=BY_HAND)
def token_budget() -> Loop:
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)

    def run(count):
        for _ in range(count):
            budget.reserve("query", 100).commit(98)

    return run


@GROUP.case("agent's handle: `reserve(100).commit(98)`", beside=BY_HAND)
def agent() -> Loop:
    manager = outlay.BudgetManager()
    manager.set_budget(outlay.BudgetLimit(agent_id="a", **LIMITS))
    handle = manager.agent("a")

    def run(count):
        for _ in range(count):
            handle.reserve(100).commit(98)

    return run
