"""Forks under load, and orderly ends: no connection is left, nothing hangs, and shares go back.

An end waits 200 ms for its shares to go back, so what is back at the end was back in time.

`OUTLAY_FORKS=50 OUTLAY_EXITS=200` gives the numbers of the page about stores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from worker_support import DEADLINE, environment

import outlay

FORKS = int(os.environ.get("OUTLAY_FORKS", "8"))
EXITS = int(os.environ.get("OUTLAY_EXITS", "10"))

PROGRAM = """
import json, os, sys, threading, time
import outlay

url, path, count = os.environ["OUTLAY_TEST_STORE"], sys.argv[1], int(sys.argv[2])
store = outlay.Store(url, timeout=5)
budget = outlay.AgentTokenBudget.daily("researcher", 1_000_000, store=store)
guard = outlay.Guard({"budget": [{"name": "all", "limit": {"tokens": 1_000_000}}]}, store=store)

def use():
    budget.consume("query", 1)
    guard.reserve(1).commit(1)

def descriptors():
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return sum(name.startswith(path) for name in names)

def await_end(pid):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        os.sched_yield()
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hangs"
"""

LOAD = (
    PROGRAM
    + """
going, done = True, []
def load():
    number = 0
    while going:
        use()
        number += 1
    done.append(number)

threads = [threading.Thread(target=load) for _ in range(3)]
for thread in threads:
    thread.start()
ends = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        for _ in range(5):
            use()
        assert descriptors() <= 3, "the connections of the parent are open here"
        sys.exit(7)
    ends.append(await_end(pid))
going = False
for thread in threads:
    thread.join()
store.sync()
used = budget.used()
store.close()
print(json.dumps({"ends": ends, "used": used, "expected": sum(done) + 5 * count, "open": descriptors()}))
"""
)

ENDS = (
    PROGRAM
    + """
use()
ends, back, times = [], [], []
for number in range(count):
    told, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        use()
        os.write(tells, repr(time.monotonic()).encode())
        sys.exit(0)
    ends.append(await_end(pid))
    times.append(time.monotonic() - float(os.read(told, 100)))
    os.close(told)
    os.close(tells)
    others = [one for row in store.inspect() for one in row["holders"] if one["pid"] != os.getpid()]
    back.append(all(one["share"] <= one["used"] and not one["reserved"] for one in others))
store.sync()
times.sort()
median, most = times[count // 2], times[-1]
print(json.dumps({"ends": ends, "back": back, "used": budget.used(), "median": median, "most": most}))
store.close()
"""
)


def run(program, count, url, folder):
    """Run a program on a file, and return what it tells at its end."""
    command = [sys.executable, "-c", program, str(folder / "budgets.db"), str(count)]
    done = subprocess.run(
        command, env=environment(url), capture_output=True, text=True, timeout=DEADLINE + count, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="it counts the open files of a process")
def test_forks_under_load_leave_no_connection_and_do_not_hang(url, tmp_path):
    told = run(LOAD, FORKS, url, tmp_path)
    assert told["ends"] == [7] * FORKS
    assert told["open"] == 0
    assert told["used"] == told["expected"]


@pytest.mark.skipif(sys.platform != "linux", reason="it counts the open files of a process")
def test_an_orderly_end_gives_shares_back(url, tmp_path):
    told = run(ENDS, EXITS, url, tmp_path)
    print(f"{EXITS} ends, seconds from sys.exit: median {told['median']:.3f}, most {told['most']:.3f}")
    assert told["ends"] == [0] * EXITS
    assert told["back"] == [True] * EXITS, "a child has kept what it did not use"
    assert told["used"] == EXITS + 1


GRANDCHILDREN = """
import os, sys
import outlay

urls = [os.environ["OUTLAY_TEST_STORE"], os.environ["OUTLAY_TEST_STORE"] + "2"]
budgets = [outlay.AgentTokenBudget.daily("r", 10_000, store=outlay.Store(url, timeout=5)) for url in urls]

def use():
    for budget in budgets:
        budget.consume("query", 1)

use()
pid = os.fork()
if pid == 0:
    use()
    grandchild = os.fork()
    if grandchild == 0:
        use()
        sys.exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
use()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_children_and_grandchildren_of_two_stores_end_in_order(url):
    """The threads of their parents sleep while they are made, and are not there any more."""
    for _ in range(EXITS):
        ran = subprocess.run(
            [sys.executable, "-c", GRANDCHILDREN],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(url),
        )
        assert (ran.returncode, ran.stderr) == (0, "")
    with outlay.Store(url) as store:
        [limit] = store.inspect()
        assert (limit["used"], limit["written_off"]) == (4 * EXITS, 0)
