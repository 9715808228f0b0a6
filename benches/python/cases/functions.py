"""`governed` around a function that does nothing; the figure is the difference to the bare function."""

from __future__ import annotations

from timing import PLENTY, Loop

import outlay
from cases import floors
from cases.policies import LABELS, POLICY

GROUP = floors.with_floors("`governed` around a function that does nothing", awaits=True)
ANSWER = {"text": "Hello.", "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}
BARE, BARE_ASYNC = "the bare function", "the bare async function"


def ask(_prompt):
    return ANSWER


async def ask_async(_prompt):
    return ANSWER


def calling(function) -> Loop:
    def run(count):
        for _ in range(count):
            function("Hi")

    return run


def awaiting(function) -> Loop:
    async def run(count):
        for _ in range(count):
            await function("Hi")

    return run


def governed(function, budget, **labels: str):
    return outlay.governed(budget, estimate=200, **labels)(function)


BUDGETS = {
    "pool": (lambda: outlay.SharedPool(capacity_tokens=PLENTY), {}),
    "token budget": (lambda: outlay.AgentTokenBudget("a", PLENTY, 3600), {}),
    "guard": (lambda: outlay.Guard(POLICY), LABELS),
}


def add(name: str, make, labels: dict[str, str]) -> None:
    """Add the two cases of a budget."""

    @GROUP.case(f"`governed`, {name}", less=BARE)
    def sync() -> Loop:
        return calling(governed(ask, make(), **labels))

    @GROUP.case(f"`governed`, {name}, async", less=BARE_ASYNC)
    def awaited() -> Loop:
        return awaiting(governed(ask_async, make(), **labels))


GROUP.case(BARE)(lambda: calling(ask))
GROUP.case(BARE_ASYNC)(lambda: awaiting(ask_async))
for budget, (make, labels) in BUDGETS.items():
    add(budget, make, labels)
