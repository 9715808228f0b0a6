"""token-budget-py: `record`, `reserve` (README, "Use") and `try_reserve` (docstring of `BudgetPool`)."""

from __future__ import annotations

from token_budget import BudgetExceeded, BudgetPool

from ..case import AROUND, BOOK, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "token-budget-py"


def record(limit: int) -> Made:
    pool = BudgetPool(token_cap=limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            pool.record(tokens=1)

    return Made(loop)


def with_reserve(limit: int) -> Made:
    pool = BudgetPool(token_cap=100 * limit, usd_cap=5.0 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            with pool.reserve(tokens=100, usd=5.0) as reservation:
                reservation.commit(tokens=98, usd=4.0)

    return Made(loop)


def try_reserve(limit: int) -> Made:
    pool = BudgetPool(token_cap=100 * limit, usd_cap=5.0 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            reservation = pool.try_reserve(tokens=100, usd=5.0)
            reservation.commit(tokens=98, usd=4.0)

    return Made(loop)


def tokens(limit: int) -> Made:
    pool = BudgetPool(token_cap=100 * limit)

    def loop(calls: int) -> None:
        for _ in range(calls):
            pool.try_reserve(tokens=100).commit(tokens=98)

    return Made(loop)


def refused(limit: int, text: bool = False) -> Made:
    pool = BudgetPool(token_cap=limit)

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                pool.record(tokens=1)
            except BudgetExceeded as exc:
                answer = str(exc) if text else exc
        return answer

    return Made(loop)


def refused_reserve(limit: int) -> Made:
    pool = BudgetPool(token_cap=100 * limit, usd_cap=5.0 * limit)

    def loop(calls: int) -> object:
        answer: object = None
        for _ in range(calls):
            try:
                pool.try_reserve(tokens=100, usd=5.0).commit()
            except BudgetExceeded as exc:
                answer = exc
        return answer

    return Made(loop)


EXCEEDED = (BudgetExceeded,)
TWO_CAPS = "holds tokens and dollars (float) as two sums, books what was used; one lock; no expiry"
WRITTEN = "raises; the sentence is written at once"
CASES = [
    Case(
        BOOK,
        "token-budget-py: record",
        "one budget, no window; one lock; raises",
        record,
        ours.CONSUME,
        is_none,
        EXCEEDED,
        threads=True,
    ),
    Case(
        AROUND, "token-budget-py: with reserve: commit", TWO_CAPS, with_reserve, ours.WITH, is_none, EXCEEDED
    ),
    Case(
        AROUND, "token-budget-py: try_reserve + commit", TWO_CAPS, try_reserve, ours.LEASE, is_none, EXCEEDED
    ),
    Case(
        AROUND,
        "token-budget-py: try_reserve(100) + commit(98)",
        "the same, tokens alone",
        tokens,
        ours.TOKENS,
        is_none,
        EXCEEDED,
    ),
    Case(REFUSED, "token-budget-py: record, raised", WRITTEN, refused, ours.REFUSED_RAISED, is_none),
    Case(
        REFUSED,
        "token-budget-py: record, raised, str(exc)",
        "the same",
        lambda limit: refused(limit, text=True),
        ours.REFUSED_TEXT,
        is_none,
    ),
    Case(
        REFUSED, "token-budget-py: try_reserve, raised", WRITTEN, refused_reserve, ours.REFUSED_LEASE, is_none
    ),
]


def agents(limit: int) -> Agent:
    pool = BudgetPool(token_cap=100 * limit)

    async def agent(call: Call) -> None:
        with pool.reserve(tokens=100) as reservation:
            await call()
            reservation.commit(tokens=100)

    return agent


CROWDS = [Crowd("token-budget-py: reserve, commit", "holds the estimate of each call", agents, EXCEEDED)]
