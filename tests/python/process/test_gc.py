"""Garbage collection and destructors in the middle of any call: no deadlock, no crash, no lost lease.

What may hang or crash runs in a process of its own, under a faulthandler timeout.
"""

from __future__ import annotations

import gc
import weakref

import pytest
from face_support import budget_limit, ran_clean

from outlay import AgentTokenBudget, BudgetManager, SharedPool, WorkflowQuota

#: A script in which each k-th allocation inside the first call of `f` runs a collection that calls `f`.
DURING_ALLOCATION = """
import gc, sys
import outlay
kind, k = sys.argv[1], int(sys.argv[2])
budget = outlay.AgentTokenBudget("a", 10, 60, on_warning=print if kind == "warning" else None)
pool = outlay.SharedPool(capacity_tokens=10)
quota = outlay.WorkflowQuota(1, 0, 60)
token = quota.begin_workflow("w")
def attempt(call, *arguments):
    try:
        call(*arguments)
    except (outlay.OutlayError, ValueError, KeyError):
        pass
CALLS = {
    "warning": lambda: attempt(budget.consume, "query", 1),
    "denied": lambda: attempt(budget.consume, "query", 100),
    "amount": lambda: attempt(budget.consume, "query", -1),
    "id": lambda: attempt(outlay.WorkflowQuota(1, 1, 60).begin_workflow, ""),
    "policy": lambda: attempt(outlay.WorkflowQuota, 1, 1, 0),
    "pool": lambda: attempt(pool.reserve, 100),
    "step": lambda: attempt(token.execute_step),
    "unknown": lambda: attempt(outlay.BudgetManager().track_call, "x"),
    "lease": lambda: attempt(pool.record_used, outlay.SharedPool().reserve(1), 1),
    "leases": lambda: pool.open_leases(),
}
f = CALLS[kind]
ran = []
class Garbage:
    def __del__(self):
        f()
        ran.append(1)
gc.collect()
garbage = Garbage()
garbage.me = garbage
del garbage
gc.set_threshold(k, 1000, 1000)
f()
gc.set_threshold(0)
gc.collect()
assert ran == [1]
"""
KINDS = ["warning", "denied", "amount", "id", "policy", "pool", "step", "unknown", "lease", "leases"]


def sweep(kind, source=DURING_ALLOCATION):
    """Run the script with the collection at each of the first allocations; forks make it quick."""
    script = f"""
import os, signal, sys
import outlay  # the children need not: the first call is still the first
source = {source!r}
for k in range(1, 13):
    pid = os.fork()
    if pid == 0:
        signal.alarm(3)
        sys.argv = ["-c", {kind!r}, str(k)]
        exec(source, {{"__name__": "__main__"}})
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit(f"a collection at allocation {{k}} of {kind} hangs or fails")
"""
    ran_clean(script, seconds=60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_collection_inside_the_first_call_of_its_kind_may_make_the_same_call(kind):
    """A destructor that uses the same account, run by an allocation in the middle of the call."""
    sweep(kind)


def test_a_lease_dropped_while_an_exception_flies_leaves_the_exception_alone():
    """No callback: the lease is charged, the exception goes on."""
    pool = SharedPool(capacity_tokens=1000)
    with pytest.raises(ZeroDivisionError):
        print(pool.reserve(900), 1 / 0)
    assert pool.committed().total_tokens == 900


def test_a_warning_from_a_lease_dropped_while_an_exception_flies_does_not_crash():
    """The callback is called as ever, and the exception goes on."""
    ran_clean(
        """
import outlay
seen = []
budget = outlay.AgentTokenBudget("a", 1000, 60, on_warning=lambda b: seen.append((b.used(), len(str(b)))))
def use(*anything): pass
for _ in range(100):
    try:
        use(budget.reserve("query", 900), 1 / 0)
    except ZeroDivisionError as error:
        assert "division" in str(error)
    assert budget.used() == 900
    budget.reset()
assert len(seen) == 100, len(seen)
"""
    )


def test_leases_in_cycles_are_charged_when_they_are_collected():
    """A lease that its owner forgets does not stay reserved for ever."""
    pool = SharedPool(capacity_tokens=1000)
    for _ in range(10):
        holder = {"lease": pool.reserve(10)}
        holder["me"] = holder
        del holder
    gc.collect()
    assert pool.open_leases() == []
    assert (pool.reserved().total_tokens, pool.committed().total_tokens) == (0, 100)


def test_a_budget_and_its_callback_are_collected_together():
    """A bound method as on_warning is a cycle: budget, method, owner, budget."""

    class Agent:
        def __init__(self):
            self.budget = AgentTokenBudget("a", 1000, 60, on_warning=self.warned)

        def warned(self, budget):
            pass

    agent = Agent()
    gone = weakref.ref(agent)
    del agent
    gc.collect()
    assert gone() is None


def test_an_agent_that_keeps_a_lease_of_its_warning_budget_is_collected():
    """Agent, lease, budget, callback, agent: one cycle of everyday objects."""

    class Agent:
        def __init__(self):
            self.budget = AgentTokenBudget("a", 1000, 60, on_warning=self.warned)
            self.lease = self.budget.reserve("query", 5)

        def warned(self, budget):
            pass

    agent = Agent()
    gone = weakref.ref(agent)
    del agent
    gc.collect()
    assert gone() is None


def test_a_lease_can_be_referred_to_weakly():
    """Every other account can; who watches over leases needs it most."""
    lease = SharedPool().reserve(1)
    assert weakref.ref(lease)() is lease


def test_a_callback_may_call_back_into_its_budget():
    """No lock is held across on_warning: consume, reset, reserve, and a warning in a warning."""
    seen = []

    def warned(budget):
        seen.append(budget.used())
        if len(seen) < 50:
            budget.reset()
            budget.reserve("query", 5).commit()
            budget.consume("query", 90)

    budget = AgentTokenBudget("a", 100, 60, on_warning=warned)
    budget.consume("query", 85)
    assert seen == [85] + [95] * 49
    assert budget.used() == 95


@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_destructors_and_weakref_callbacks_may_use_the_account_whose_lease_is_dropped():
    """With a collection at every allocation, in every call."""
    source = """
import gc, weakref
import outlay
pool = outlay.SharedPool(capacity_tokens=10**12)
manager = outlay.BudgetManager()
manager.set_budget(outlay.BudgetLimit(agent_id="a", token_budget=10**12, calls_budget=None, window_secs=60))
agent = manager.agent("a")
budget = outlay.AgentTokenBudget("a", 10**12, 60)
quota = outlay.WorkflowQuota(10**6, 10**6, 60)
token = quota.begin_workflow("w")
for call in (lambda: pool.reserve(-1), lambda: pool.reserve(10**13), lambda: manager.track_call("?")):
    try: call()
    except (outlay.OutlayError, KeyError): pass
def everything(_=None):
    pool.reserve(1).commit(); pool.open_leases(); pool.remaining(); pool.committed()
    agent.charge(1); agent.reserve(1).release(); manager.all_full_info()
    budget.consume("query", 1); budget.reserve("query", 1).close(); token.execute_step()
    try: budget.consume("query", 10**13)
    except outlay.BudgetExceeded as refused: str(refused)
class Garbage:
    def __init__(self, depth):
        self.me, self.depth = self, depth
        self.leases = [pool.reserve(1), agent.reserve(1), budget.reserve("query", 1)]
        self.watch = weakref.ref(self, everything)
    def __del__(self):
        everything()
        if self.depth: Garbage(self.depth - 1)
class Node: pass
watches = []
gc.set_threshold(1, 1, 1)
for number in range(300):
    Garbage(2)
    node = Node(); node.me, node.lease = node, pool.reserve(1)
    watches.append(weakref.ref(node, everything))
    del node
    everything()
gc.set_threshold(700, 10, 10)
gc.collect(); gc.collect(); gc.collect()
assert pool.open_leases() == [], pool.open_leases()
assert pool.reserved().total_tokens == 0 and budget.reserved() == 0
"""
    ran_clean(source, seconds=60)


def test_an_account_may_go_before_its_leases():
    """The lease keeps what it needs."""
    leases = [
        SharedPool(capacity_tokens=5).reserve(1),
        AgentTokenBudget("a", 5, 60, on_warning=print).reserve("query", 1),
    ]
    manager = BudgetManager()
    manager.set_budget(budget_limit())
    leases.append(manager.agent("a").reserve(1))
    token = WorkflowQuota(1, 1, 60).begin_workflow("w")
    del manager
    gc.collect()
    for lease in leases:
        lease.commit()
        assert lease.state == "committed"
    token.execute_step()
    with token:
        pass
    assert not token.can_continue()
