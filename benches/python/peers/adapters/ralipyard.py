"""ralipyard: `Semaphore.calc_delay` (README, "Overview"; its stub).

It never refuses. It returns how long to sleep, so a call is admitted if that is no time at all.
"""

from __future__ import annotations

from datetime import timedelta

from ralipyard import Semaphore

from ..case import BOOK, Agent, Call, Case, Crowd, Made
from . import outlay as ours

PACKAGE = "ralipyard"


def at_once(delay: float) -> bool:
    return delay == 0.0


def semaphore_of(limit: int) -> Semaphore:
    return Semaphore(
        access_times=limit, per_period=timedelta(hours=12)
    )  # of a period it reads the seconds, no days


def calc_delay(limit: int) -> Made:
    semaphore = semaphore_of(limit)

    def loop(calls: int) -> float:
        answer = 0.0
        for _ in range(calls):
            answer = semaphore.calc_delay()
        return answer

    return Made(loop)


CASES = [
    Case(
        BOOK,
        "ralipyard: calc_delay",
        "Rust: one counter of calls, no key, no amount; never refuses: it returns how long to sleep",
        calc_delay,
        ours.TRY_CONSUME,
        at_once,
        threads=True,
    ),
]


def agents(limit: int) -> Agent:
    semaphore = semaphore_of(limit)

    async def agent(call: Call) -> None:
        if semaphore.calc_delay() == 0.0:
            await call()

    return agent


CROWDS = [Crowd("ralipyard: calc_delay", "gives each call its place before it; no usage", agents)]
