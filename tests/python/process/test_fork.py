"""Forked and spawned workers: a parent's account is refused there, a new one works, nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from face_support import ran_clean

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

RIG = """
import gc, os, signal, sys, tempfile, threading
import outlay
folder = tempfile.mkdtemp()
path = os.path.join(folder, "f.json")
budget = outlay.AgentTokenBudget("a", 1000, 3600, on_warning=print)
quota = outlay.WorkflowQuota(10, 10, 3600)
token = quota.begin_workflow("w")
limit = outlay.BudgetLimit(agent_id="a", token_budget=1000, calls_budget=None, window_secs=None)
manager = outlay.BudgetManager()
manager.set_budget(limit)
agent = manager.agent("a")
pool = outlay.SharedPool(capacity_tokens=1000)
lease = pool.reserve(100)
manager.persist(path)
CALLS = {
    "consume": lambda: budget.consume("query", 1),
    "try_consume": lambda: budget.try_consume("query", 1),
    "check": lambda: budget.check("query", 1),
    "overflow": lambda: budget.consume("transaction", 2**64 - 1),
    "reserve": lambda: budget.reserve("query", 1),
    "remaining": budget.remaining,
    "used": budget.used,
    "reserved": budget.reserved,
    "usage_percentage": budget.usage_percentage,
    "is_warning": budget.is_warning,
    "time_until_reset": budget.time_until_reset,
    "reset": budget.reset,
    "begin_workflow": lambda: quota.begin_workflow("v"),
    "resume": lambda: quota.begin_workflow("w", resume=True),
    "end_workflow": lambda: quota.end_workflow("w"),
    "end nothing": lambda: quota.end_workflow("?"),
    "get": lambda: quota.get("w"),
    "active_count": quota.active_count,
    "period_count": quota.period_count,
    "quota.remaining": quota.remaining,
    "quota.time_until_reset": quota.time_until_reset,
    "quota.reset": quota.reset,
    "execute_step": token.execute_step,
    "remaining_steps": token.remaining_steps,
    "steps_executed": token.steps_executed,
    "duration": token.duration,
    "can_continue": token.can_continue,
    "set_budget": lambda: manager.set_budget(limit),
    "remove_budget": lambda: manager.remove_budget("a"),
    "manager.reserve": lambda: manager.reserve("a", 1),
    "unknown agent": lambda: manager.reserve("?", 1),
    "manager.release": lambda: manager.release("a", 1),
    "track_call": lambda: manager.track_call("a"),
    "manager.remaining": lambda: manager.remaining("a"),
    "remaining of unknown": lambda: manager.remaining("?"),
    "can_schedule": lambda: manager.can_schedule("a"),
    "reset_window": lambda: manager.reset_window("a"),
    "full_info": lambda: manager.full_info("a"),
    "all_full_info": manager.all_full_info,
    "agent": lambda: manager.agent("a"),
    "persist": lambda: manager.persist(path),
    "restore": lambda: manager.restore(path),
    "restore nothing": lambda: manager.restore(path + "?"),
    "agent.reserve": lambda: agent.reserve(1),
    "agent.charge": lambda: agent.charge(1),
    "agent.track_call": agent.track_call,
    "agent.remaining": agent.remaining,
    "pool.reserve": lambda: pool.reserve(1),
    "own cap": lambda: pool.reserve(5, outlay.RequestBudget(tokens=1)),
    "record_used": lambda: pool.record_used(lease, 1),
    "pool.remaining": pool.remaining,
    "committed": pool.committed,
    "pool.reserved": pool.reserved,
    "open_leases": pool.open_leases,
    "state": lambda: lease.state,
    "expires_in": lease.expires_in,
    "commit": lease.commit,
    "release": lease.release,
    "extend": lambda: lease.extend(5),
}
def refused_everywhere(calls=CALLS):
    for name, call in calls.items():
        try:
            answer = call()
        except outlay.ForkedLedger as error:
            assert "give them a store in common" in str(error), error
        except BaseException as error:
            raise AssertionError(f"{name} raised {error!r}")
        else:
            raise AssertionError(f"{name} answered {answer!r}")
def fresh_ones_work():
    mine = outlay.SharedPool(capacity_tokens=10)
    mine.reserve(3).commit(4)
    held = mine.reserve(1)
    assert mine.remaining().tokens == 5
    other = outlay.AgentTokenBudget("a", 10, 60)
    other.consume("query", 10)
    assert not other.try_consume("query", 1)
    workers = outlay.BudgetManager()
    workers.set_budget(limit); workers.reserve("a", 7); workers.persist(path + str(os.getpid()))
    assert workers.restore(path + str(os.getpid()))
    with outlay.WorkflowQuota(1, 1, 60).begin_workflow("w") as step:
        step.execute_step()
def untouched():
    assert (budget.used(), budget.reserved(), quota.period_count(), token.steps_executed()) == (0, 0, 1, 0)
    assert (manager.full_info("a").tokens_used, pool.remaining().tokens) == (0, 900)
    assert (lease.state, len(pool.open_leases()), pool.committed().total_tokens) == ("open", 1, 0)
    assert token.can_continue() and quota.active_count() == 1
def in_child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the child ended with {status}"
"""


def test_a_parents_accounts_are_refused_in_a_forked_child_on_every_method():
    """ForkedLedger, whose message says that new ones have the whole limit. They work; grandchildren, too."""
    ran_clean(
        RIG
        + """
def child():
    refused_everywhere()
    fresh_ones_work()
    mine = outlay.AgentTokenBudget("a", 10, 60)
    in_child(lambda: refused_everywhere({**CALLS, "of the child": lambda: mine.consume("x", 1)}))
    mine.consume("x", 10)
in_child(child)
untouched()
"""
    )


def test_operation_costs_of_a_parent_cannot_be_changed_in_a_child():
    """Every method that changes an account is refused."""
    ran_clean(
        RIG + 'in_child(lambda: refused_everywhere({"add": lambda: budget.add_operation_cost("x", 2)}))\n'
    )


def test_leases_that_are_open_in_the_parent_belong_to_the_parent_alone():
    """Dropping, closing, leaving blocks, garbage and exit in the child change nothing in the parent."""
    ran_clean(
        RIG
        + """
held = [lease, budget.reserve("query", 900), agent.reserve(5)]
held.append(held)
def child():
    global held, lease, token
    lease.close()
    with lease: pass
    try:
        with lease: raise ValueError
    except ValueError: pass
    with token: pass
    repr(lease), repr(pool), hash(lease), lease.id, lease.reserved, lease.request_budget
    del held, lease, token
    gc.collect()
in_child(child)
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert budget.reserved() == 900 and budget.used() == 0
held[1].release(); held[2].release()
untouched()
lease.commit(7)
assert pool.committed().total_tokens == 7
"""
    )


def test_a_fork_while_other_threads_hold_locks_hangs_no_child():
    """Threads charge, persist and restore all the time; 60 children try everything."""
    ran_clean(
        RIG
        + """
stop = threading.Event()
other = outlay.BudgetManager()
for number in range(200):
    other.set_budget(outlay.BudgetLimit(agent_id=f"a{number}", token_budget=9, calls_budget=9, window_secs=6))
busy = outlay.SharedPool()
def work(number):
    while not stop.is_set():
        if number % 2:
            other.persist(path + "x"); other.restore(path + "x")
        else:
            busy.reserve(1).commit(); other.all_full_info()
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
def child():
    refused_everywhere()
    refused_everywhere({"other": other.all_full_info, "file": lambda: other.persist(path)})
    refused_everywhere({"busy": busy.remaining})
    fresh_ones_work()
    gc.collect()
for _ in range(60): in_child(child)
stop.set()
for thread in threads: thread.join()
untouched()
""",
        seconds=60,
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_make_their_own_accounts(method, tmp_path):
    """A module-level account is the parent's where the worker was forked, and new where it was spawned."""
    script = tmp_path / "worker_script.py"
    script.write_text(
        """
import multiprocessing, signal, sys
import outlay
shared = outlay.AgentTokenBudget("a", 10, 60)
held = shared.reserve("query", 4)
def work(number):
    mine = outlay.AgentTokenBudget("a", 10, 60)
    mine.consume("query", 10)
    try:
        shared.consume("query", 1)
        return "worked"
    except outlay.ForkedLedger as error:
        return str(error)
def fails(number):
    outlay.AgentTokenBudget('a"', 1, 60).consume("query", 2)
if __name__ == "__main__":
    signal.alarm(60)
    method = sys.argv[1]
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        answers = pool.map(work, range(4))
        try:
            pool.map(fails, [1])
            raise AssertionError("nothing was refused")
        except outlay.BudgetExceeded as refused:
            assert refused.agent_id == 'a"' and refused.payload["details"]["requested"] == 2
        try:
            pool.apply(work, (shared,))
            raise AssertionError("a budget was pickled")
        except TypeError as error:
            assert "can not be pickled" in str(error), error
    expected = "give them a store in common" if method == "fork" else "worked"
    assert all(expected in answer for answer in answers), answers
    assert (shared.used(), shared.reserved(), held.state) == (0, 4, "open")
"""
    )
    # As a file: spawned workers import it again.
    command = [sys.executable, str(script), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_child_does_not_wait_at_exit_for_callbacks_of_its_parents_threads():
    """Another thread is in on_warning at the fork; the child exits at once."""
    ran_clean(
        """
import os, sys, threading, time
import outlay
inside, leave = threading.Event(), threading.Event()
budget = outlay.AgentTokenBudget("a", 100, 60, on_warning=lambda b: (inside.set(), leave.wait(20)))
worker = threading.Thread(target=lambda: budget.consume("query", 90))
worker.start()
inside.wait(20)
took = []
for _ in range(3):
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    took.append(time.monotonic() - began)
leave.set()
worker.join()
assert min(took) < 0.4, took
"""
    )
