"""Allowances in a forked child: refused on every method, at once, whoever held a lock."""

from __future__ import annotations

import os

import pytest
from face_support import ran_clean

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

RIG = """
import os, signal, sys, threading
import outlay
from outlay import AgentAllowance, ModelQuota, RepoLimit, UsageReport
kept = AgentAllowance(agent_id="a", concurrent_jobs=2)
store = outlay.MemoryStore()
def service_on(store):
    service = outlay.AllowanceService(store)
    service.set_allowance(kept)
    return service, service.start_job("a", f"j{id(service)}", model="m", estimated_tokens=5)
RIGS = [service_on(None), service_on(store)]
told = UsageReport(agent_id="a", job_id="k", event="job_completed", tokens_in=1)
def calls(service, job):
    return {
        "set_allowance": lambda: service.set_allowance(kept),
        "set_model_quota": lambda: service.set_model_quota(ModelQuota(model="m")),
        "set_repo_limit": lambda: service.set_repo_limit(RepoLimit(repo="r")),
        "get_allowance": lambda: service.get_allowance("a"),
        "get_model_quota": lambda: service.get_model_quota("m"),
        "get_usage": lambda: service.get_usage("a"),
        "get_model_usage": lambda: service.get_model_usage("m"),
        "check": lambda: service.check("a"),
        "check unknown": lambda: service.check("?"),
        "start_job": lambda: service.start_job("a", "new"),
        "record_usage": lambda: service.record_usage(told),
        "overdue_jobs": service.overdue_jobs,
        "reset_agent": lambda: service.reset_agent("a"),
        "check_repo": lambda: service.check_repo("r", "pr"),
        "charge_repo": lambda: service.charge_repo("r", "pr"),
        "record_failure": lambda: service.record_failure("r"),
        "complete": job.complete,
        "fail": job.fail,
        "cancel": job.cancel,
    }
STORE_CALLS = {
    "get_allowance": lambda: store.get_allowance("a"),
    "set_allowance": lambda: store.set_allowance(kept),
    "get_usage": lambda: store.get_usage("a"),
    "increment_usage": lambda: store.increment_usage("a", 1, 1),
    "decrement_active_jobs": lambda: store.decrement_active_jobs("a"),
    "return_tokens": lambda: store.return_tokens("a", 1),
    "reset_usage": lambda: store.reset_usage("a"),
    "get_model_quota": lambda: store.get_model_quota("m"),
    "set_model_quota": lambda: store.set_model_quota(ModelQuota(model="m")),
    "get_model_usage": lambda: store.get_model_usage("m"),
    "increment_model_usage": lambda: store.increment_model_usage("m", 1),
}
def refused(calls):
    for name, call in calls.items():
        try:
            answer = call()
        except outlay.ForkedLedger as error:
            assert "give them a store in common" in str(error), error
        else:
            raise AssertionError(f"{name} answered {answer!r}")
def fresh_ones_work():
    for own in (None, outlay.MemoryStore(), Own()):
        service, job = service_on(own)
        assert job.complete(3)
        assert service.get_usage("a").tokens_used == 3
class Own(outlay.MemoryStore):
    pass
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
def untouched():
    for service, job in RIGS:
        usage = service.get_usage("a")
        assert (usage.tokens_used, usage.jobs_started, usage.active_jobs) == (0, 1, 1), usage
"""


def test_a_parents_allowances_are_refused_in_a_forked_child_on_every_method():
    """Also the store in memory; new ones work."""
    ran_clean(
        RIG
        + """
def child():
    for service, job in RIGS:
        refused(calls(service, job))
    refused(STORE_CALLS)
    fresh_ones_work()
in_child(child)
untouched()
"""
    )


def test_a_child_that_leaves_the_block_of_a_job_ends_nothing():
    """By itself and by an error; the parent ends it."""
    ran_clean(
        RIG
        + """
for service, job in RIGS:
    pid = None
    with service.start_job("a", "block", estimated_tokens=8):
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    try:
        with job:
            pid = os.fork()
            if pid == 0:
                raise KeyError
    except KeyError:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    usage = service.get_usage("a")
    assert (usage.tokens_used, usage.active_jobs) == (13, 0), usage
"""
    )


def test_a_lock_that_another_thread_held_at_the_fork_hangs_nobody():
    """Neither the parent's service, which is refused, nor a new one on a store of one's own."""
    ran_clean(
        RIG
        + """
from outlay._allowances import store_state as _store_state
class Slow:
    def __init__(self):
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.slow = False
        self.kept = {}
    def get_allowance(self, agent):
        if self.slow:
            self.inside.set()
            self.go_on.wait(20)
        return self.kept.get(agent)
    def set_allowance(self, allowance):
        self.kept[allowance.agent_id] = allowance
    def get_usage(self, agent): pass
    def increment_usage(self, agent, tokens, jobs): pass
    def decrement_active_jobs(self, agent): pass
    def return_tokens(self, agent, tokens): pass
    def reset_usage(self, agent): pass
    def get_model_quota(self, model): pass
    def get_model_usage(self, model): pass
    def increment_model_usage(self, model, tokens): pass
slow = Slow()
service, job = service_on(slow)
slow.slow = True
thread = threading.Thread(target=service.check, args=("a",))
thread.start()
slow.inside.wait(20)
def child():
    slow.slow = False
    refused(calls(service, job))
    again, new = service_on(slow)
    assert new.complete(1)
in_child(child)
slow.go_on.set()
thread.join(20)
"""
    )
