"""A guard with six limits and a price: every way to ask it."""

from __future__ import annotations

from timing import PLENTY, Loop

from cases import floors
from cases.policies import BY_HAND, LABELS, by_hand, six
from outlay._core import reserve_together

GROUP = floors.with_floors("A guard, six limits and a price", awaits=True)
GROUP.case(BY_HAND)(by_hand)


@GROUP.case("`reserve(...).commit(usage)`, constant labels", beside=BY_HAND)
def literal() -> Loop:
    guard, estimate, usage = six()

    def run(count):
        for _ in range(count):
            lease = guard.reserve(estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site")
            lease.commit(usage)

    return run


@GROUP.case("the same in a `with`", beside=BY_HAND)
def with_form() -> Loop:
    guard, estimate, usage = six()

    def run(count):
        for _ in range(count):
            with guard.reserve(
                estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site"
            ) as lease:
                lease.commit(usage)

    return run


@GROUP.case("the same, labels of a `scope` around", beside=BY_HAND)
def scoped() -> Loop:
    guard, estimate, usage = six()

    def run(count):
        with guard.scope(**LABELS):
            for _ in range(count):
                guard.reserve(estimate).commit(usage)

    return run


@GROUP.case("the same, a `scope` for each call", beside=BY_HAND)
def scope_made() -> Loop:
    guard, estimate, usage = six()

    def run(count):
        for _ in range(count):
            with guard.scope(agent="a-1", model="gpt-x", provider="openai", repo="acme/site"):
                guard.reserve(estimate).commit(usage)

    return run


@GROUP.case("`check` alone", beside=BY_HAND)
def check() -> Loop:
    guard, estimate, _ = six()

    def run(count):
        for _ in range(count):
            guard.check(estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site")

    return run


@GROUP.case("an allotment: `reserve(estimate).commit(usage)`", beside=BY_HAND)
def allotment() -> Loop:
    guard, estimate, usage = six()
    part = guard.allot(tokens=PLENTY // 2, **LABELS)

    def run(count):
        for _ in range(count):
            part.reserve(estimate).commit(usage)

    return run


@GROUP.case("`reserve_together([guard])`, as wraps do", beside=BY_HAND)
def together() -> Loop:
    guard, estimate, usage = six()
    budgets = [guard]

    def run(count):
        for _ in range(count):
            reserve_together(budgets, estimate, labels=LABELS).commit(usage)

    return run


@GROUP.case("`reserve_blocking(...)`, there is room", beside=BY_HAND)
def blocking() -> Loop:
    guard, estimate, usage = six()

    def run(count):
        for _ in range(count):
            lease = guard.reserve_blocking(
                estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site"
            )
            lease.commit(usage)

    return run


@GROUP.case("`await reserve_wait(...)`, there is room", beside=BY_HAND)
def awaited() -> Loop:
    guard, estimate, usage = six()

    async def run(count):
        for _ in range(count):
            lease = await guard.reserve_wait(
                estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site"
            )
            lease.commit(usage)

    return run
