"""agentbudget: `session.track` (README, "Manual Mode") and `session.would_exceed` (its docstring)."""

from __future__ import annotations

from agentbudget import AgentBudget, BudgetExhausted
from agentbudget.session import BudgetSession

from ..case import AROUND, BOOK, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "agentbudget"


def session_of(dollars: float) -> BudgetSession:
    """Enter a session, as `with budget.session() as session` does."""
    return AgentBudget(max_spend=dollars).session().__enter__()


def track(limit: int) -> Made:
    session = session_of(limit)

    def loop(calls: int) -> object:
        for _ in range(calls):
            session.track(None, cost=1.0)
        return None

    def reset() -> None:
        nonlocal session
        session = session_of(limit)

    return Made(loop, reset)


def around(limit: int) -> Made:
    session = session_of(limit)

    def loop(calls: int) -> bool:
        fits = False
        for _ in range(calls):
            fits = not session.would_exceed(1.0)
            if fits:
                session.track(None, cost=1.0)
        return fits

    def reset() -> None:
        nonlocal session
        session = session_of(limit)

    return Made(loop, reset)


def refused(limit: int, text: bool = False) -> Made:
    session = session_of(limit)

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                session.track(None, cost=1.0)
            except BudgetExhausted as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


EXHAUSTED = (BudgetExhausted,)
DOLLARS = "dollars as a float, a list of every event"
CASES = [
    Case(
        BOOK,
        "agentbudget: track",
        f"{DOLLARS}; three locks in turn; raises",
        track,
        ours.CONSUME,
        is_none,
        EXHAUSTED,
        threads=True,
    ),
    Case(
        AROUND,
        "agentbudget: would_exceed, track",
        f"{DOLLARS}; four locks in turn; holds nothing",
        around,
        ours.LEASE,
        refusal=EXHAUSTED,
    ),
    Case(
        REFUSED,
        "agentbudget: track, raised",
        "raises; the sentence is written at once; the cost is not booked",
        refused,
        ours.REFUSED_RAISED,
        is_none,
    ),
    Case(
        REFUSED,
        "agentbudget: track, raised, str(exc)",
        "the same",
        lambda limit: refused(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
]


def agents(limit: int) -> Agent:
    session = session_of(limit)

    async def agent(call: Call) -> None:
        if not session.would_exceed(1.0):
            await call()
            session.track(None, cost=1.0)

    return agent


CROWDS = [
    Crowd(
        "agentbudget: would_exceed, call, track", "looks before the call, books after it", agents, EXHAUSTED
    )
]
