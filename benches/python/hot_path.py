"""What checking costs from Python, beside an empty call and a hand-written class with a lock.

Each case runs in short rounds, all cases interleaved in one process, so that a busy neighbour
slows all of them alike; the figure is the minimum of the rounds less the empty loop.

Run: python benches/python/hot_path.py [--check] [--rounds N]
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import outlay
from outlay._core import EmptyMethods

CALLS = 10_000
PLENTY = 1 << 60


class LockedBudget:
    """What a user would write by hand: a limit, a window, a lock."""

    def __init__(self, total: int, period: float, costs: dict[str, int]) -> None:
        self.total, self.period, self.costs = total, period, costs
        self.used = 0
        self.start = time.monotonic()
        self.lock = threading.Lock()

    def consume(self, operation: str, tokens: int) -> None:
        cost = self.costs.get(operation, 1) * tokens
        with self.lock:
            now = time.monotonic()
            if now - self.start >= self.period:
                self.start, self.used = now, 0
            if self.used + cost > self.total:
                raise RuntimeError("budget exceeded")
            self.used += cost


class LockedPool:
    """Reserve and commit by hand: two limits, a table of leases, a lock."""

    def __init__(self, tokens: int, cost: int) -> None:
        self.limits = [tokens, cost]
        self.used = [0, 0]
        self.held = [0, 0]
        self.leases: dict[int, tuple[int, int, float]] = {}
        self.next = 0
        self.lock = threading.Lock()

    def reserve(self, tokens: int, cost: int) -> int:
        with self.lock:
            for i, amount in enumerate((tokens, cost)):
                if self.used[i] + self.held[i] + amount > self.limits[i]:
                    raise RuntimeError("pool exceeded")
            self.held[0] += tokens
            self.held[1] += cost
            self.next += 1
            self.leases[self.next] = (tokens, cost, time.monotonic() + 900)
            return self.next

    def commit(self, lease: int, tokens: int, cost: int) -> None:
        with self.lock:
            held = self.leases.pop(lease)
            self.held[0] -= held[0]
            self.held[1] -= held[1]
            self.used[0] += tokens
            self.used[1] += cost


class EmptyPython:
    """An empty method of pure Python."""

    def consume(self, operation: str, tokens: int) -> None:
        pass


@dataclass
class Case:
    """One line of the table: a loop of ``CALLS`` operations, and what it is compared with."""

    name: str
    loop: Callable[[], None]
    floor: str = "empty PyO3 consume"
    python: str | None = None
    best: float = float("inf")


def floors() -> list[Case]:
    """Make the empty loop and empty calls: what cannot be saved."""
    empty, plain = EmptyMethods(), EmptyPython()

    def loop() -> None:
        for _ in range(CALLS):
            pass

    def empty_consume() -> None:
        for _ in range(CALLS):
            empty.consume("query", 5)

    def empty_step() -> None:
        for _ in range(CALLS):
            empty.execute_step()

    def python_consume() -> None:
        for _ in range(CALLS):
            plain.consume("query", 5)

    return [
        Case("loop", loop),
        Case("empty PyO3 consume", empty_consume),
        Case("empty PyO3 execute_step", empty_step),
        Case("empty Python consume", python_consume),
    ]


def by_hand() -> list[Case]:
    """Do the same work in a pure-Python class with a lock."""
    budget, spent = LockedBudget(PLENTY, 3600, {"query": 1}), LockedBudget(0, 3600, {"query": 1})
    pool = LockedPool(PLENTY, PLENTY)

    def consume() -> None:
        for _ in range(CALLS):
            budget.consume("query", 5)

    def refused() -> None:
        for _ in range(CALLS):
            try:  # noqa: SIM105 (what is measured)
                spent.consume("query", 5)
            except RuntimeError:
                pass

    def reserve_commit() -> None:
        for _ in range(CALLS):
            pool.commit(pool.reserve(100, 5), 98, 4)

    return [
        Case("hand-written consume", consume),
        Case("hand-written refused consume", refused),
        Case("hand-written reserve + commit", reserve_commit),
    ]


def charges() -> list[Case]:
    """Book at once."""
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)
    token = outlay.WorkflowQuota.hourly(1, PLENTY).begin_workflow("w")

    def consume() -> None:
        for _ in range(CALLS):
            budget.consume("query", 5)

    def try_consume() -> None:
        for _ in range(CALLS):
            budget.try_consume("query", 5)

    def step() -> None:
        for _ in range(CALLS):
            token.execute_step()

    hand = "hand-written consume"
    return [
        Case("consume", consume, python=hand),
        Case("try_consume", try_consume, python=hand),
        Case("execute_step", step, floor="empty PyO3 execute_step", python=hand),
    ]


def leases() -> list[Case]:
    """Hold and then settle, in tokens and money."""
    pool = outlay.SharedPool(capacity_tokens=PLENTY, capacity_cost_micros_usd=PLENTY)
    estimate = outlay.UsageEstimate(input_tokens=90, output_tokens=10, cost_micros_usd=5)
    usage = outlay.Usage(input_tokens=90, output_tokens=8, cost_micros_usd=4)

    def reserve_commit() -> None:
        for _ in range(CALLS):
            pool.reserve(estimate).commit(usage)

    return [Case("reserve + commit", reserve_commit, python="hand-written reserve + commit")]


def refusals() -> list[Case]:
    """Refuse, as a bool and as an exception."""
    spent = outlay.AgentTokenBudget("a", 0, 3600)
    refusal = outlay.BudgetExceeded

    def refused_try() -> None:
        for _ in range(CALLS):
            spent.try_consume("query", 5)

    def refused() -> None:
        for _ in range(CALLS):
            try:  # noqa: SIM105 (what is measured)
                spent.consume("query", 5)
            except refusal:
                pass

    hand = "hand-written refused consume"
    return [
        Case("refused try_consume", refused_try, python=hand),
        Case("refused consume, raised and caught", refused, python=hand),
    ]


def cases() -> list[Case]:
    """All cases, in the order of the table."""
    return [*floors(), *by_hand(), *charges(), *leases(), *refusals()]


def measure(rounds: int) -> dict[str, Case]:
    """Run all cases ``rounds`` times in turn; ``best`` is ns per operation above the loop."""
    table = cases()
    for _ in range(rounds):
        for case in table:
            began = time.perf_counter_ns()
            case.loop()
            case.best = min(case.best, (time.perf_counter_ns() - began) / CALLS)
    loop = table[0].best
    for case in table[1:]:
        case.best -= loop
    return {case.name: case for case in table}


def problems(table: dict[str, Case]) -> list[str]:
    """Return what is slower than it has to be, in words."""
    found = []

    def at_most(name: str, floor: str, limit: float) -> None:
        ratio = table[name].best / table[floor].best
        if ratio > limit:
            found.append(f"{name} costs {ratio:.2f} x {floor}, at most {limit} is allowed")

    at_most("consume", "empty PyO3 consume", 2.0)
    at_most("consume", "empty Python consume", 2.5)
    at_most("consume", "hand-written consume", 1 / 3)
    at_most("reserve + commit", "empty PyO3 consume", 8.0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a floor is missed")
    options = parser.parse_args()
    table = measure(options.rounds)
    print(f"{'operation':38} {'ns':>7} {'/ empty call':>13} {'/ by hand':>10}")
    for case in table.values():
        if case.name == "loop":
            continue
        ratio = case.best / table[case.floor].best
        by_hand = f"{case.best / table[case.python].best:10.2f}" if case.python else " " * 10
        print(f"{case.name:38} {case.best:7.1f} {ratio:13.2f} {by_hand}")
    found = problems(table)
    for problem in found:
        print("missed:", problem)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
