"""What a guard costs: six limits over an agent, a model, a repository and a pool, with a price.

Beside it, in one run: the same policy by hand in pure Python, the checks of pydantic-ai's `UsageLimits`
around one request, and LiteLLM's `BudgetManager` where it is installed. As in `hot_path.py`: short rounds,
all cases interleaved in one process, the minimum of the rounds less the empty loop.

Run: python benches/python/guard.py [--check] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from hot_path import PLENTY, Case

import outlay
from outlay._core import EmptyMethods

CALLS = 2_000
EMPTY, BY_HAND = "empty PyO3 method", "the same policy in pure Python: reserve + commit"
GUARD = "guard: reserve + commit, six limits"
DOLLARS = "1000000"
MOST_OF_EMPTY, MOST_OF_PYTHON = 50.0, 0.36
POLICY = {
    "budget": [
        {"name": "agent", "scope": {"agent": "*"}, "limit": {"usd": DOLLARS, "tokens": PLENTY}},
        {"name": "model", "scope": {"model": "openai:gpt-*"}, "limit": {"tokens": PLENTY}},
        {"name": "repo", "scope": {"repo": "*"}, "limit": {"usd": DOLLARS, "calls": PLENTY}},
    ],
    "pool": [{"name": "pool", "max_concurrent": 8}],
    "prices": {"openai:gpt-x": {"input": "2.50", "output": "10.00", "cache_read": "0.25"}},
}
LABELS = {"agent": "a-1", "model": "gpt-x", "provider": "openai", "repo": "acme/site"}
# The same six limits by hand: the label, what its value begins with, the unit, the limit.
BY_HAND_RULES = [
    ("agent", "", "cost", 10**12),
    ("agent", "", "tokens", PLENTY),
    ("model", "gpt-", "tokens", PLENTY),
    ("repo", "", "cost", 10**12),
    ("repo", "", "calls", PLENTY),
    (None, "", "slots", 8),
]


class PlainPolicy:
    """What a user would write by hand: rules by label, prices, leases with deadlines, one lock."""

    def __init__(self, rules: list, prices: dict[str, tuple[int, int, int]], ttl: float = 900.0) -> None:
        self.rules, self.prices, self.ttl = rules, prices, ttl
        self.used: dict[tuple, int] = {}
        self.held: dict[tuple, int] = {}
        self.matched: dict[tuple, list] = {}
        self.leases: dict[int, tuple] = {}
        self.last = 0
        self.lock = threading.Lock()

    def cost(self, model: str, given: int, made: int, cached: int = 0) -> int:
        """Price a call in micro-USD, rounded up once."""
        per_input, per_output, per_cached = self.prices[model]
        return -(-((given - cached) * per_input + cached * per_cached + made * per_output) // 1_000_000)

    def match(self, labels: dict[str, str]) -> list:
        """Find the limits that labels meet, once for each set of labels."""
        key = tuple(labels.items())
        found = self.matched.get(key)
        if found is None:
            found = self.matched[key] = [
                ((index, labels.get(label)), unit, limit)
                for index, (label, start, unit, limit) in enumerate(self.rules)
                if label is None or labels.get(label, "").startswith(start)
            ]
        return found

    def reserve(self, given: int, made: int, **labels: str) -> int:
        """Hold an estimate of all limits, or raise and change nothing."""
        cost = self.cost(labels["model"], given, made)
        amounts = {"tokens": given + made, "cost": cost, "calls": 1, "slots": 1}
        rules = self.match(labels)
        with self.lock:
            used, held = self.used, self.held
            for key, unit, limit in rules:
                if used.get(key, 0) + held.get(key, 0) + amounts[unit] > limit:
                    raise RuntimeError(f"{key} exceeded")
            for key, unit, _ in rules:
                held[key] = held.get(key, 0) + amounts[unit]
            self.last += 1
            self.leases[self.last] = (rules, amounts, labels["model"], time.monotonic() + self.ttl)
            return self.last

    def commit(self, lease: int, given: int, made: int, cached: int = 0) -> None:
        """End a lease and book what was used."""
        with self.lock:
            rules, amounts, model, _ = self.leases.pop(lease)
            actual = {"tokens": given + made, "cost": self.cost(model, given, made, cached), "calls": 1}
            for key, unit, _ in rules:
                self.held[key] -= amounts[unit]
                if unit != "slots":
                    self.used[key] = self.used.get(key, 0) + actual[unit]


def floors() -> list[Case]:
    """Make the empty loop and the empty call: what cannot be saved."""
    empty = EmptyMethods()

    def loop() -> None:
        for _ in range(CALLS):
            pass

    def one() -> None:
        for _ in range(CALLS):
            empty.consume("query", 5)

    return [Case("loop", loop), Case(EMPTY, one)]


def guards() -> list[Case]:
    """Hold and settle under six limits; with other words for the same labels; of a part; refused."""
    guard, spent = outlay.Guard(POLICY), outlay.Guard({"budget": [{"name": "b", "limit": {"calls": 0}}]})
    part = guard.allot(tokens=PLENTY // 2, **LABELS)
    estimate = outlay.UsageEstimate(input_tokens=900, output_tokens=100)
    usage = outlay.Usage(input_tokens=900, output_tokens=80, cache_read_tokens=500)
    agents = [f"agent-{number}" for number in range(CALLS)]

    def reserve_commit() -> None:
        for _ in range(CALLS):
            guard.reserve(estimate, agent="a-1", model="gpt-x", provider="openai", repo="acme/site").commit(
                usage
            )

    def many_agents() -> None:
        for agent in agents:
            guard.reserve(estimate, agent=agent, model="gpt-x", provider="openai", repo="acme/site").commit(
                usage
            )

    def scoped() -> None:
        with guard.scope(**LABELS):
            for _ in range(CALLS):
                guard.reserve(estimate).commit(usage)

    def of_a_part() -> None:
        for _ in range(CALLS):
            part.reserve(estimate).commit(usage)

    def refused() -> None:
        for _ in range(CALLS):
            try:  # noqa: SIM105 (what is measured)
                spent.reserve(estimate)
            except outlay.BudgetExceeded:
                pass

    return [
        Case(GUARD, reserve_commit, EMPTY, BY_HAND),
        Case("the same, 2,000 agents in turn", many_agents, EMPTY, BY_HAND),
        Case("the same, labels of a scope", scoped, EMPTY, BY_HAND),
        Case("the same, of an allotment", of_a_part, EMPTY, BY_HAND),
        Case("guard: a refusal, raised and caught", refused, EMPTY),
    ]


def by_hand() -> list[Case]:
    """Keep the same six limits in pure Python."""
    plain = PlainPolicy(BY_HAND_RULES, {"gpt-x": (2_500_000, 10_000_000, 250_000)})

    def reserve_commit() -> None:
        for _ in range(CALLS):
            lease = plain.reserve(900, 100, agent="a-1", model="gpt-x", provider="openai", repo="acme/site")
            plain.commit(lease, 900, 80, 500)

    return [Case(BY_HAND, reserve_commit, EMPTY)]


def pydantic_ai() -> list[Case]:
    """Check a request before and after, in the limits of one run; nothing is held."""
    usage = importlib.import_module("pydantic_ai.usage")
    limits = usage.UsageLimits(
        request_limit=PLENTY, input_tokens_limit=PLENTY, output_tokens_limit=PLENTY, total_tokens_limit=PLENTY
    )
    run, request = usage.RunUsage(), usage.RequestUsage(input_tokens=900, output_tokens=80)

    def checks() -> None:
        for _ in range(CALLS):
            limits.check_before_request(run)
            limits.check_tokens(run)

    def booked() -> None:
        for _ in range(CALLS):
            limits.check_before_request(run)
            run.requests += 1
            run.incr(request)
            limits.check_tokens(run)

    return [
        Case("pydantic-ai UsageLimits: two checks", checks, EMPTY),
        Case("pydantic-ai UsageLimits: two checks and the usage added", booked, EMPTY),
    ]


def litellm() -> list[Case]:
    """Compare what a user has spent with the total; nothing is held or booked."""
    # Else it fetches prices when it is imported.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    module = importlib.import_module("litellm")
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        # It keeps a file in the folder it finds itself in.
        os.chdir(folder)
        try:
            manager = module.BudgetManager(project_name="bench", client_type="local")
            manager.user_dict["a-1"] = {"total_budget": 1e6, "current_cost": 0.5}
        finally:
            os.chdir(before)

    def check() -> None:
        for _ in range(CALLS):
            if manager.get_current_cost(user="a-1") > manager.get_total_budget(user="a-1"):
                raise RuntimeError("budget exceeded")

    return [Case("LiteLLM BudgetManager: one check", check, EMPTY)]


def if_installed(make: Callable[[], list[Case]], name: str) -> list[Case]:
    """Return the cases of a library, or say that it is not here."""
    try:
        return make()
    except ImportError as missing:
        print(f"{name} is left out, it is not installed: {missing}")
        return []


def measure(rounds: int) -> dict[str, Case]:
    """Run all cases ``rounds`` times in turn; ``best`` is ns per operation above the loop."""
    table = [*floors(), *guards(), *by_hand()]
    table += if_installed(pydantic_ai, "pydantic-ai")
    table += if_installed(litellm, "LiteLLM")
    for _ in range(rounds):
        for case in table:
            began = time.perf_counter_ns()
            case.loop()
            case.best = min(case.best, (time.perf_counter_ns() - began) / CALLS)
    for case in table[1:]:
        case.best -= table[0].best
    return {case.name: case for case in table[1:]}


def problems(table: dict[str, Case]) -> list[str]:
    """Return what is slower than it has to be, in words."""
    found = []
    for floor, limit in ((EMPTY, MOST_OF_EMPTY), (BY_HAND, MOST_OF_PYTHON)):
        ratio = table[GUARD].best / table[floor].best
        if ratio > limit:
            found.append(f"{GUARD} costs {ratio:.2f} x {floor}, at most {limit} is allowed")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a floor is missed")
    options = parser.parse_args()
    table = measure(options.rounds)
    print("| operation | ns | to an empty PyO3 method | to pure Python |")
    print("| --- | ---: | ---: | ---: |")
    for case in table.values():
        floor = case.best / table[EMPTY].best
        python = f"{case.best / table[case.python].best:.2f}" if case.python else ""
        print(f"| {case.name} | {case.best:,.0f} | {floor:.1f} | {python} |")
    print(f"{GUARD}: {table[GUARD].best / 1_000:.2f} microseconds")
    found = problems(table)
    for problem in found:
        print("missed:", problem)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
