"""The worst single call beside the median one: each call is timed alone.

A busy machine stops any call now and then, so the longest time says little; `worst CPU` is the most that one
call has worked, by the clock of its thread, in as many calls more. Then the call that has to do what others
left behind: leases that run out all at once. Nothing is checked here: `instructions/` holds the bounds.

Run: python benches/python/worst.py [--calls N] [--leases N]
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator

from cases.policies import LABELS, six
from report import heading
from timing import PLENTY

import outlay
from outlay._core import EmptyMethods

Call = Callable[[], object]


def nothing() -> Call:
    methods = EmptyMethods()
    return lambda: methods.consume("query", 5)


def consume() -> Call:
    budget = outlay.AgentTokenBudget("a", PLENTY, 3600)
    return lambda: budget.consume("query", 5)


def lease() -> Call:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)
    return lambda: pool.reserve(100).commit(98)


def one_of_many_open() -> Call:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)
    held = [pool.reserve(1) for _ in range(100_000)]

    def call():
        held.append(pool.reserve(1))  # all stay open: the table grows
        pool.reserve(100).commit(98)

    return call


def manager_in_turn() -> Call:
    manager = outlay.BudgetManager()
    for number in range(10_000):
        limits = {"token_budget": PLENTY, "calls_budget": PLENTY, "window_secs": 3600}
        manager.set_budget(outlay.BudgetLimit(agent_id=f"agent-{number}", **limits))
    names = turns([f"agent-{number}" for number in range(10_000)])
    return lambda: manager.reserve(next(names), 5)


def guard() -> Call:
    made, estimate, usage = six()
    return lambda: made.reserve(estimate, **LABELS).commit(usage)


def guard_in_turn() -> Call:
    made, estimate, usage = six()
    names = turns([f"agent-{number}" for number in range(10_000)])
    others = {name: value for name, value in LABELS.items() if name != "agent"}
    return lambda: made.reserve(estimate, agent=next(names), **others).commit(usage)


def guard_first_touch() -> Call:
    made, estimate, usage = six()
    names = (f"agent-{number}" for number in range(1 << 40))
    others = {name: value for name, value in LABELS.items() if name != "agent"}
    return lambda: made.reserve(estimate, agent=next(names), **others).commit(usage)


def refused() -> Call:
    spent, estimate = outlay.SharedPool(capacity_tokens=0), outlay.UsageEstimate(total_tokens=1)

    def call():
        try:
            spent.reserve(estimate)
        except outlay.LimitExceeded as error:
            str(error)

    return call


def governed() -> Call:
    pool = outlay.SharedPool(capacity_tokens=PLENTY)
    answer = {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}
    return outlay.governed(pool, estimate=100)(lambda: answer)


def turns(names: list[str]) -> Iterator[str]:
    """Return the names one after the other, again and again."""
    while True:
        yield from names


CALLS: dict[str, Callable[[], Call]] = {
    "empty PyO3 method": nothing,
    "`consume`": consume,
    "`BudgetManager.reserve(id)`, 10,000 agents in turn": manager_in_turn,
    "pool: reserve + commit": lease,
    "the same, and a lease that stays open, 100,000 and more": one_of_many_open,
    "a refusal and its text": refused,
    "guard, six limits: reserve + commit": guard,
    "the same, 10,000 agents in turn": guard_in_turn,
    "the same, a new agent each time": guard_first_touch,
    "`governed`, pool": governed,
}


def timed(call: Call, calls: int, clock: Callable[[], int] = time.perf_counter_ns) -> list[int]:
    """Return the nanoseconds of each call, sorted."""
    for _ in range(1_000):
        call()
    gc.collect()
    gc.freeze()
    took = []
    for _ in range(calls):
        began = clock()
        call()
        took.append(clock() - began)
    return sorted(took)


def all_run_out(leases: int) -> float:
    """Return the microseconds of the call after so many leases have run out at once."""
    clock = outlay.ManualClock()
    pool = outlay.SharedPool(capacity_tokens=PLENTY, clock=clock)
    held = [pool.reserve(1) for _ in range(leases)]
    clock.advance(86_400)
    began = time.perf_counter_ns()
    pool.reserve(1).release()
    took = time.perf_counter_ns() - began
    held.clear()
    return took / 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--leases", type=int, default=100_000)
    options = parser.parse_args()
    print(heading(1))
    print(f"{options.calls:,} calls of each, in ns; each holds a read of the clock\n")
    print("| call | p50 | p99 | p99.9 | max | worst CPU |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, make in CALLS.items():
        call = make()
        took = timed(call, options.calls)
        shares = [took[int(share * (len(took) - 1))] for share in (0.5, 0.99, 0.999, 1.0)]
        shares.append(timed(call, options.calls, time.thread_time_ns)[-1])
        print(f"| {name} | " + " | ".join(f"{ns:,}" for ns in shares) + " |", flush=True)
    print("\n| leases that ran out at once | the next call, us |\n| ---: | ---: |")
    for leases in (1, options.leases // 100, options.leases):
        print(f"| {leases:,} | {min(all_run_out(leases) for _ in range(3)):,.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
