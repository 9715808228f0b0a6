"""What several processes do in a second on one store, beside one transaction of SQLite for each step.

Each line is a run of `--seconds` with `--processes` processes that do nothing but reserve and commit:

- one for all: one pool, whose shares the processes draw from the file;
- one budget each: a pool for each process, all on one file;
- in memory: pools without a store, one for each process;
- SQLite by hand: what a program without shares does. It reserves with one transaction and settles with
  another, each an `UPDATE` that checks. `FULL` waits for the disk, as a grant of the store does; `NORMAL`
  does not.

All pairs of all processes count, from the moment at which all have begun. There are more processes than
cores, so compare the lines of one run with each other, and with nothing else.

Run: python benches/python/stores.py [--processes 8] [--seconds 2] [--check]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import outlay

#: Makes what a process does again and again, from the folder of the run and the number of the process.
Make = Callable[[Path, int], Callable[[], object]]

PLENTY = 1 << 50
STORE = "`SharedPool`, one for all"
OWN = "`SharedPool`, one budget each"
MEMORY = "`SharedPool` in memory, one each"
FULL = "SQLite by hand, `FULL`"
NORMAL = "SQLite by hand, `NORMAL`"
#: The least ratio of the first to the second that `--check` lets pass.
FLOORS = {(STORE, MEMORY): 0.5, (OWN, MEMORY): 0.5, (STORE, NORMAL): 10.0}


def pool(**more: object) -> Callable[[], object]:
    """Return what holds and settles on a pool."""
    reserve = outlay.SharedPool(capacity_tokens=PLENTY, **more).reserve

    def pair() -> None:
        reserve(100).commit(80)

    return pair


def one_for_all(folder: Path, number: int) -> Callable[[], object]:
    del number
    return pool(store=f"sqlite:///{folder}/budgets.db")


def one_each(folder: Path, number: int) -> Callable[[], object]:
    return pool(store=f"sqlite:///{folder}/budgets.db", name=f"pool-{number}")


def in_memory(folder: Path, number: int) -> Callable[[], object]:
    del folder, number
    return pool()


def by_hand(folder: Path, synchronous: str) -> Callable[[], object]:
    """Return two transactions of SQLite: one that reserves if it fits, one that settles."""
    file = sqlite3.connect(folder / "budgets.db", isolation_level=None, timeout=60)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute(f"PRAGMA synchronous={synchronous}")
    file.execute(
        "CREATE TABLE IF NOT EXISTS budget (id INTEGER PRIMARY KEY, used INTEGER, held INTEGER, most INTEGER)"
    )
    file.execute("INSERT OR IGNORE INTO budget VALUES (1, 0, 0, ?)", (PLENTY,))

    def pair() -> None:
        file.execute("UPDATE budget SET held = held + 100 WHERE used + held + 100 <= most")
        file.execute("UPDATE budget SET held = held - 100, used = used + 80")

    return pair


def by_hand_full(folder: Path, number: int) -> Callable[[], object]:
    del number
    return by_hand(folder, "FULL")


def by_hand_normal(folder: Path, number: int) -> Callable[[], object]:
    del number
    return by_hand(folder, "NORMAL")


CASES: dict[str, Make] = {
    MEMORY: in_memory,
    OWN: one_each,
    STORE: one_for_all,
    NORMAL: by_hand_normal,
    FULL: by_hand_full,
}


def work(name: str, folder: str, number: int, seconds: float, begin, done) -> None:
    """Do pairs until the time is over, and say how many."""
    pair = CASES[name](Path(folder), number)
    pair()
    begin.wait()
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        for _ in range(20):
            pair()
        count += 20
    done.put(count)


def pairs_a_second(name: str, processes: int, seconds: float) -> float:
    """Run a case with so many processes, and return the pairs of all in a second."""
    spawn = multiprocessing.get_context("spawn")
    begin, done = spawn.Barrier(processes), spawn.Queue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [(name, folder, number, seconds, begin, done) for number in range(processes)]
        workers = [spawn.Process(target=work, args=each) for each in arguments]
        for worker in workers:
            worker.start()
        count = sum(done.get(timeout=120) for _ in workers)
        for worker in workers:
            worker.join()
            if worker.exitcode:
                raise RuntimeError(f"{name}: a process ended with {worker.exitcode}")
    return count / seconds


def main() -> int:
    """Print the table; with `--check`, fail where a ratio is below its floor twice."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--processes", type=int, default=8)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    rates = {name: pairs_a_second(name, given.processes, given.seconds) for name in CASES}
    print(f"{given.processes} processes, {given.seconds:g} s, pairs of reserve and commit in a second")
    for name, rate in rates.items():
        print(f"{name:40} {rate:12,.0f} {rate / rates[MEMORY]:8.3f} of memory")
    missed = []
    for (name, beside), floor in FLOORS.items():
        ratio = rates[name] / rates[beside]
        if ratio < floor:  # a neighbour may have been busy: once more
            again = pairs_a_second(name, given.processes, given.seconds)
            ratio = max(ratio, again / pairs_a_second(beside, given.processes, given.seconds))
        if ratio < floor:
            missed.append(f"{name}: {ratio:.2f} of {beside}, at least {floor:g} is wanted")
    print("\n".join(missed), file=sys.stderr)
    return int(given.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
