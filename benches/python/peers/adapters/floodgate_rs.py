"""floodgate-rs: `FixedMapping.trigger` (README, "Example") and `JumpingWindow.trigger` (its docstring)."""

from __future__ import annotations

from datetime import timedelta

from floodgate import FixedMapping, JumpingWindow

from ..case import BOOK, REFUSED, Agent, Call, Case, Crowd, Made, is_none
from . import outlay as ours

PACKAGE = "floodgate-rs"


def one(limit: int) -> Made:
    window = JumpingWindow(capacity=limit, period=timedelta(days=1))

    def loop(calls: int) -> timedelta | None:
        answer = None
        for _ in range(calls):
            answer = window.trigger()
        return answer

    return Made(loop)


def keyed(limit: int) -> Made:
    windows = FixedMapping(capacity=limit, period=timedelta(days=1))

    def loop(calls: int) -> timedelta | None:
        answer = None
        for _ in range(calls):
            answer = windows.trigger("agent-1")
        return answer

    return Made(loop)


CASES = [
    Case(
        BOOK,
        "floodgate-rs: JumpingWindow.trigger",
        "Rust: one counter of calls, fixed window, no amount",
        one,
        ours.TRY_CONSUME,
        is_none,
        threads=True,
    ),
    Case(
        BOOK,
        "floodgate-rs: FixedMapping.trigger",
        "Rust: counter of calls by any hashable key, fixed window, no amount",
        keyed,
        ours.MANAGER,
        is_none,
        threads=True,
    ),
    Case(
        REFUSED,
        "floodgate-rs: JumpingWindow.trigger",
        "answers the time to wait",
        one,
        ours.REFUSED_TRY,
        is_none,
    ),
]


def agents(limit: int) -> Agent:
    windows = FixedMapping(capacity=limit, period=timedelta(days=1))

    async def agent(call: Call) -> None:
        if windows.trigger("agent-1") is None:
            await call()

    return agent


CROWDS = [Crowd("floodgate-rs: FixedMapping.trigger", "counts each call before it; no usage", agents)]
