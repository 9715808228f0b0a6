"""Workflows and allowances that a module made at import go on in a forked child, and are counted once."""

from __future__ import annotations

import json
import subprocess
import sys

from worker_support import DEADLINE, environment

PROGRAM = """
import json, logging, os, sys
import outlay

logging.getLogger("outlay").setLevel("ERROR")  # that it was recorded before is a warning

store = outlay.Store(os.environ["OUTLAY_TEST_STORE"], timeout=5)
quota = outlay.WorkflowQuota(3, 5, 3600, store=store)
token = quota.begin_workflow("w-1")
token.execute_step(2)
service = outlay.AllowanceService(store=store)
service.set_allowance(outlay.AgentAllowance(agent_id="a", daily_token_limit=1_000, concurrent_jobs=2))
service.start_job("a", "j-1", estimated_tokens=400)

def in_child(act):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        with os.fdopen(write, "w") as told:
            json.dump(act(), told)
        sys.exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    _, status = os.waitpid(pid, 0)
    return [os.waitstatus_to_exitcode(status), json.loads(said or "null")]

def refused(act):
    try:
        act()
    except (outlay.OutlayError, ValueError) as error:
        return type(error).__name__
    return "passed"

def workflows():
    token.execute_step(2)
    quota.period_count()
    store.sync()
    return [
        refused(lambda: token.execute_step(2)), token.steps_executed(), quota.period_count(),
        refused(lambda: quota.begin_workflow("w-1")), quota.begin_workflow("w-2").id,
        quota.end_workflow("w-1"), token.can_continue(),
    ]

def jobs():
    report = outlay.UsageReport(agent_id="a", job_id="j-1", event="job_failed", tokens_in=301, tokens_out=0)
    return [
        refused(lambda: service.start_job("a", "j-2", estimated_tokens=601)),
        service.get_allowance("a").daily_token_limit,
        service.record_usage(report),
        service.record_usage(report),
    ]

told = {"workflows": in_child(workflows), "jobs": in_child(jobs)}
store.sync()
used = service.get_usage("a")
told["parent"] = [
    quota.active_count(), quota.period_count(), quota.end_workflow("w-1"),
    used.tokens_used, used.jobs_started, used.active_jobs,
]
store.close()
print(json.dumps(told))
"""


def test_workflows_and_jobs_go_on_in_a_forked_child(url):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment(url),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {
        "workflows": [0, ["StepLimitExceeded", 4, 1, "ValueError", "w-2", True, False]],
        "jobs": [0, ["AllowanceExceeded", 1_000, True, False]],
        "parent": [1, 2, False, 151, 1, 0],
    }
