"""A guard whose labels change from call to call: one budget for each user, made as users come."""

from __future__ import annotations

from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.policies import six

GROUP = floors.with_floors("A guard, one budget for each user")
MAKE_NAME = "make one of four names"
CONSTANT = "one rule, a constant user"


def one_rule() -> tuple[outlay.Guard, outlay.UsageEstimate, outlay.Usage]:
    """Return a guard with a budget for each user."""
    policy = {"budget": [{"name": "user", "scope": {"user": "*"}, "limit": {"tokens": PLENTY}}]}
    return outlay.Guard(policy), outlay.UsageEstimate(total_tokens=1_000), outlay.Usage(total_tokens=980)


@GROUP.case("one rule, no label")
def no_label() -> Loop:
    guard = outlay.Guard({"budget": [{"name": "all", "limit": {"tokens": PLENTY}}]})
    estimate, usage = outlay.UsageEstimate(total_tokens=1_000), outlay.Usage(total_tokens=980)

    def run(count):
        for _ in range(count):
            guard.reserve(estimate).commit(usage)

    return run


@GROUP.case(CONSTANT)
def constant() -> Loop:
    guard, estimate, usage = one_rule()

    def run(count):
        for _ in range(count):
            guard.reserve(estimate, user="user-1").commit(usage)

    return run


@GROUP.case(MAKE_NAME)
def name() -> Loop:
    def run(count):
        for number in range(count):
            f"user-{number & 3}"

    return run


@GROUP.case("one rule, four users, named for the call (less the name)", beside=CONSTANT, less=MAKE_NAME)
def made() -> Loop:
    guard, estimate, usage = one_rule()

    def run(count):
        for number in range(count):
            guard.reserve(estimate, user=f"user-{number & 3}").commit(usage)

    return run


def in_turn(users: int) -> Loop:
    """Let so many users ask one after the other; all have asked before."""
    guard, estimate, usage = one_rule()
    names = [f"user-{number}" for number in range(users)]
    for user in names:
        guard.reserve(estimate, user=user).commit(usage)
    turn = 0

    def run(count):
        nonlocal turn
        for _ in range(count):
            guard.reserve(estimate, user=names[turn]).commit(usage)
            turn = turn + 1 if turn + 1 < users else 0

    return run


GROUP.case("one rule, 30 users in turn", beside=CONSTANT)(lambda: in_turn(30))
GROUP.case("one rule, 1,000 users in turn", beside=CONSTANT)(lambda: in_turn(1_000))
GROUP.case("one rule, 10,000 users in turn", beside=CONSTANT)(lambda: in_turn(10_000))


@GROUP.case("six limits, 10,000 agents in turn", beside=CONSTANT)
def six_in_turn() -> Loop:
    guard, estimate, usage = six()
    names = [f"agent-{number}" for number in range(10_000)]
    turn = 0

    def run(count):
        nonlocal turn
        for _ in range(count):
            guard.reserve(
                estimate, agent=names[turn], model="gpt-x", provider="openai", repo="acme/site"
            ).commit(usage)
            turn = turn + 1 if turn + 1 < 10_000 else 0

    run(10_000)
    return run
