"""agentguard47: the calls of its README ("Stop before a third call") and its docstrings.

Docstrings: `RateLimitGuard`, `reserve_for_dispatch`, `commit_reservation`.
"""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

from agentguard import BudgetExceeded, BudgetGuard, JsonFileStateStore, RateLimitGuard

from ..case import AROUND, BOOK, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "agentguard47"


def consume(limit: int) -> Made:
    guard = BudgetGuard(max_calls=limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            guard.consume(calls=1)

    return Made(loop)


def rate(limit: int) -> Made:
    guard = RateLimitGuard(max_calls_per_minute=limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            guard.check()

    return Made(loop, guard.reset)


def around(limit: int) -> Made:
    guard = BudgetGuard(max_calls=limit, max_tokens=100 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            guard.check()
            guard.consume(tokens=98, calls=1)

    return Made(loop)


def stored(limit: int) -> tuple[BudgetGuard, tempfile.TemporaryDirectory[str]]:
    """Make a guard that can hold: it needs a store, and has one of JSON files."""
    folder = tempfile.TemporaryDirectory()
    store = JsonFileStateStore(Path(folder.name) / "budget.json")
    return BudgetGuard(max_calls=limit, store=store, key="agent-1"), folder


def reservation(limit: int) -> Made:
    guard, folder = stored(limit)
    numbers = count()

    def loop(calls: int) -> None:
        assert folder.name  # the folder lives as long as the loop
        for _ in range(calls):
            name = f"call-{next(numbers)}"
            guard.reserve_for_dispatch(name, calls=1)
            guard.commit_reservation(name, tokens=98, calls=1)

    return Made(loop, guard.reset)


def refused(limit: int, text: bool = False) -> Made:
    guard = BudgetGuard(max_calls=limit)

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                guard.consume(calls=1)
            except BudgetExceeded as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


EXCEEDED = (BudgetExceeded,)
CASES = [
    Case(
        BOOK,
        "agentguard47: BudgetGuard.consume",
        "one budget, no window; one lock; adds first, then raises",
        consume,
        ours.CONSUME,
        is_none,
        EXCEEDED,
        threads=True,
    ),
    Case(
        BOOK,
        "agentguard47: RateLimitGuard.check",
        "log of every call, sliding minute; one lock; raises",
        rate,
        ours.SLIDING,
        is_none,
        EXCEEDED,
        threads=True,
    ),
    Case(
        AROUND,
        "agentguard47: check, consume",
        "calls and tokens; one lock, holds nothing",
        around,
        ours.LEASE,
        is_none,
        EXCEEDED,
        threads=True,
    ),
    Case(
        AROUND,
        "agentguard47: reserve_for_dispatch, commit_reservation",
        "holds calls in a JSON file that it locks and writes twice; keeps every ended hold",
        reservation,
        ours.LEASE,
        is_none,
        EXCEEDED,
    ),
    Case(
        REFUSED,
        "agentguard47: consume, raised",
        "raises; the sentence is written at once; the call is booked",
        refused,
        ours.REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        "agentguard47: consume, raised, str(exc)",
        "the same",
        lambda limit: refused(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
]


def agents(limit: int) -> Agent:
    guard = BudgetGuard(max_calls=limit)

    async def agent(call: Call) -> None:
        guard.check()
        await call()
        guard.consume(calls=1)

    return agent


def holding_agents(limit: int) -> Agent:
    guard, folder = stored(limit)
    numbers = count()

    async def agent(call: Call) -> None:
        assert folder.name  # the folder lives as long as the agents
        name = f"call-{next(numbers)}"
        guard.reserve_for_dispatch(name, calls=1)
        await call()
        guard.commit_reservation(name, calls=1)

    return agent


CROWDS = [
    Crowd("agentguard47: check, call, consume", "looks before the call, books after it", agents, EXCEEDED),
    Crowd("agentguard47: reserve_for_dispatch", "holds each call in a JSON file", holding_agents, EXCEEDED),
]
