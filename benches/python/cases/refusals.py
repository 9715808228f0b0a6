"""Refuse: as a bool, as an exception, and with the text that a model reads."""

from __future__ import annotations

import contextlib

from by_hand.budget import LockedBudget
from timing import Loop

import outlay
from cases import floors

GROUP = floors.with_floors("Refusals, raised and caught")
BY_HAND = "by hand: refused with a lock"


class RefusalError(ValueError):
    """What a Python function raises."""


@GROUP.case("a Python function that raises")
def python_raise() -> Loop:
    def refuse(_operation, _tokens):
        raise RefusalError

    def run(count):
        for _ in range(count):
            try:  # noqa: SIM105 (what is measured)
                refuse("query", 5)
            except RefusalError:
                pass

    return run


@GROUP.case(BY_HAND)
def by_hand() -> Loop:
    spent = LockedBudget(0, 3600, {"query": 1})

    def run(count):
        for _ in range(count):
            try:  # noqa: SIM105 (what is measured)
                spent.consume("query", 5)
            except RuntimeError:
                pass

    return run


@GROUP.case("`try_consume`", beside=BY_HAND)
def try_consume() -> Loop:
    spent = outlay.AgentTokenBudget("a", 0, 3600)

    def run(count):
        for _ in range(count):
            spent.try_consume("query", 5)

    return run


@GROUP.case("`consume`", beside=BY_HAND)
def consume() -> Loop:
    spent, refusal = outlay.AgentTokenBudget("a", 0, 3600), outlay.BudgetExceeded

    def run(count):
        for _ in range(count):
            try:  # noqa: SIM105 (what is measured)
                spent.consume("query", 5)
            except refusal:
                pass

    return run


@GROUP.case("`consume`, and `str(exc)`", beside=BY_HAND)
def consume_text() -> Loop:
    spent, refusal = outlay.AgentTokenBudget("a", 0, 3600), outlay.BudgetExceeded

    def run(count):
        for _ in range(count):
            try:
                spent.consume("query", 5)
            except refusal as error:
                str(error)

    return run


def refusing(ask, read=bool) -> Loop:
    """Return a loop that is refused, and reads the refusal."""
    refusal = outlay.LimitExceeded
    with contextlib.suppress(refusal):
        ask()
        raise AssertionError("it was to refuse")

    def run(count):
        for _ in range(count):
            try:
                ask()
            except refusal as error:
                read(error)

    return run


def payload(error: outlay.LimitExceeded) -> object:
    return error.payload


def spent_pool():
    """Return what asks a pool that has no room."""
    pool, estimate = outlay.SharedPool(capacity_tokens=0), outlay.UsageEstimate(total_tokens=100)
    return lambda: pool.reserve(estimate)


def spent_guard():
    """Return what asks a guard with one rule that has no room."""
    guard = outlay.Guard({"budget": [{"name": "b", "limit": {"calls": 0}}]})
    estimate = outlay.UsageEstimate(total_tokens=100)
    return lambda: guard.reserve(estimate)


GROUP.case("pool: `reserve`", beside=BY_HAND)(lambda: refusing(spent_pool()))
GROUP.case("pool: `reserve`, and `str(exc)`", beside=BY_HAND)(lambda: refusing(spent_pool(), str))
GROUP.case("pool: `reserve`, and `exc.payload`", beside=BY_HAND)(lambda: refusing(spent_pool(), payload))
GROUP.case("guard: `reserve`", beside=BY_HAND)(lambda: refusing(spent_guard()))
GROUP.case("guard: `reserve`, and `str(exc)`", beside=BY_HAND)(lambda: refusing(spent_guard(), str))
GROUP.case("guard: `reserve`, and `exc.payload`", beside=BY_HAND)(lambda: refusing(spent_guard(), payload))
