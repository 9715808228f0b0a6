"""The interpreter exits cleanly with open leases and busy daemon threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from face_support import SOAK

COMMON = """
import os, sys, tempfile, threading
import outlay
pool = outlay.SharedPool(capacity_tokens=10**12)
manager = outlay.BudgetManager()
manager.set_budget(outlay.BudgetLimit(agent_id="a", token_budget=10**12, calls_budget=None, window_secs=60))
agent = manager.agent("a")
token = outlay.WorkflowQuota(1, 10**12, 60).begin_workflow("w")
path = sys.argv[1]
started = [threading.Event() for _ in range(4)]
def daemon(work):
    event = started.pop()
    def run():
        work()
        event.set()
        while True:
            work()
    threading.Thread(target=run, daemon=True).start()
    return event
def main(*works):
    for event in [daemon(work) for work in works]:
        event.wait(10)
"""
CALLS = """
budget = outlay.AgentTokenBudget("a", 10**12, 60)
def charges():
    budget.consume("query", 1); agent.charge(1); token.execute_step()
    pool.reserve(1).commit(2); agent.reserve(1).release(); budget.reserve("query", 1)
def refusals():
    for call in (lambda: pool.reserve(10**13), lambda: manager.track_call("?"), lambda: agent.charge(-1)):
        try: call()
        except (outlay.OutlayError, KeyError) as error: str(error)
def files():
    manager.persist(path); manager.restore(path)
held = [pool.reserve(1), budget.reserve("query", 1), agent.reserve(1)]
main(charges, refusals, files, files)
"""
WARNINGS = """
budget = outlay.AgentTokenBudget("a", 10**12, 60, warning_threshold=0.0, on_warning=lambda b: sum(range(50)))
def warned():
    budget.reset(); budget.consume("query", 1)
main(warned, warned)
"""
RESPONSES = """
response = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
main(lambda: outlay.Usage.from_response(response), lambda: outlay.Usage.from_response(response))
"""
INDEXES = """
class Whole:
    def __index__(self): return sum([1 for _ in range(50)])
main(lambda: pool.reserve(Whole()).release(), lambda: outlay.usd(Whole()))
"""


# Each exit is that of a whole interpreter, forked with the package imported: a start costs ten times that.
FORKED = """
import os, signal, sys
import outlay
source = sys.argv[2]
for number in range(int(sys.argv[3])):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        sys.argv[1] += f"-{number}.json"
        exec(source)
        sys.exit(0)
    status = os.waitpid(pid, 0)[1]
    if status: sys.exit(f"exit {number} ended with status {status}")
"""


def run_at_once(*commands):
    """Run two at a time; return what did not exit with 0, or said a word."""

    def run(command):
        done = subprocess.run(
            [sys.executable, "-c", *command], capture_output=True, text=True, timeout=600, check=False
        )
        return f"exit {done.returncode}: {done.stderr[-500:]}" if done.returncode or done.stderr else ""

    with ThreadPoolExecutor(2) as executor:
        return [failed for failed in executor.map(run, commands) if failed]


def statuses(source, folder, runs):
    """Exit so many times, one of them from an interpreter of its own; return what did not exit with 0."""
    source, forked = COMMON + source, runs * SOAK - 1
    fresh = (source, str(folder / "fresh.json"))
    if not hasattr(os, "fork"):
        return run_at_once(*[fresh] * runs)
    halves = forked // 2, forked - forked // 2
    each = [(FORKED, str(folder / f"{half}"), source, str(number)) for half, number in enumerate(halves)]
    return run_at_once(fresh, *each)


def test_exit_with_open_leases_and_busy_daemon_threads_is_clean(tmp_path):
    """Consume, reserve, commit, persist, restore and exceptions in daemon threads."""
    assert statuses(CALLS, tmp_path, 20) == []


def test_exit_while_daemon_threads_are_in_on_warning_is_clean(tmp_path):
    """The callback is Python code under a Rust frame."""
    assert statuses(WARNINGS, tmp_path, 10) == []


def test_exit_while_daemon_threads_read_responses_is_clean(tmp_path):
    """Usage.from_response is Python code under a Rust frame."""
    assert statuses(RESPONSES, tmp_path, 10) == []


def test_exit_while_daemon_threads_are_in_an_index_method_is_clean(tmp_path):
    """A user's own whole number is Python code under a Rust frame."""
    assert statuses(INDEXES, tmp_path, 10) == []


@pytest.mark.parametrize("where", ["module", "thread local", "atexit", "cycle", "builtins"])
def test_leases_that_die_with_the_interpreter_are_quiet(tmp_path, where):
    """The last handle goes while modules are torn down; a warning callback may be due."""
    keep = {
        "module": "kept = lease",
        "thread local": "kept = threading.local(); kept.lease = lease",
        "atexit": "import atexit; atexit.register(lambda lease=lease: lease.commit(900))",
        "cycle": "kept = [lease]; kept.append(kept)",
        "builtins": "import builtins; builtins.lease = lease",
    }[where]
    source = f"""
budget = outlay.AgentTokenBudget("a", 1000, 60, on_warning=lambda b: b.used())
lease = budget.reserve("query", 900)
{keep}
del lease
"""
    assert statuses(source, tmp_path, 3) == []


def test_a_worker_that_is_joined_at_exit_may_still_warn(tmp_path):
    """An atexit handler that was registered before outlay was imported runs after outlay's own."""
    source = """
import atexit, threading
stop = threading.Event()
def flush():
    stop.set()
    worker.join(3)
    if worker.is_alive(): print("the worker hangs", file=sys.stderr)
atexit.register(flush)
"""
    last = """
budget = outlay.AgentTokenBudget("a", 100, 3600, on_warning=lambda b: None)
worker = threading.Thread(target=lambda: (stop.wait(), budget.consume("query", 90)), daemon=True)
worker.start()
"""
    command = [sys.executable, "-c", source + COMMON + last, str(tmp_path / "f.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_exit_while_a_slow_callback_runs_is_clean(tmp_path):
    """A second of work in on_warning, in a daemon thread."""
    source = """
import time
go = threading.Event()
def slow(budget):
    go.set()
    end = time.monotonic() + 1
    while time.monotonic() < end: pass
budget = outlay.AgentTokenBudget("a", 100, 3600, on_warning=slow)
threading.Thread(target=lambda: budget.consume("query", 90), daemon=True).start()
go.wait()
"""
    assert statuses(source, tmp_path, 2) == []
