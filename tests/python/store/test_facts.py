"""Workflows, jobs and budgets of a store: one of the processes begins and ends each, a restart knows all."""

from __future__ import annotations

import pytest
from store_support import Worker, together

import outlay

BEGIN = """
quota = outlay.WorkflowQuota(10, 5, 3600, store=url)
meet()
try:
    quota.begin_workflow("w").execute_step(2)
    tell("begun")
except ValueError:
    tell("taken")
"""


def test_one_of_two_processes_begins_a_workflow_and_a_restart_goes_on_with_its_steps(url):
    assert sorted(together(BEGIN, url, 2)) == ["begun", "taken"]
    with outlay.Store(url) as store:
        quota = outlay.WorkflowQuota(10, 5, 3600, store=store)
        with pytest.raises(ValueError, match="active already"):
            quota.begin_workflow("w")
        token = quota.begin_workflow("w", resume=True)
        assert (token.steps_executed(), quota.active_count(), quota.period_count()) == (2, 1, 1)
        token.execute_step(3)
        with pytest.raises(outlay.LimitExceeded):
            token.execute_step()
        assert (quota.end_workflow("w"), quota.end_workflow("w")) == (True, False)


START = """
service = outlay.AllowanceService(store=url)
service.set_allowance(outlay.AgentAllowance(agent_id="a", daily_token_limit=1_000, concurrent_jobs=2))
meet()
try:
    service.start_job("a", "j", estimated_tokens=400)
    tell("started")
except ValueError:
    tell("known")
"""
END = """
import logging
logging.getLogger("outlay").setLevel("ERROR")  # that it was recorded before is a warning
service = outlay.AllowanceService(store=url)
meet()
report = outlay.UsageReport(agent_id="a", job_id="j", event="job_failed", tokens_in=301, tokens_out=0)
tell(service.record_usage(report))
"""


def test_a_job_that_one_process_begins_another_one_ends_once(url):
    assert sorted(together(START, url, 2)) == ["known", "started"]
    assert sorted(together(END, url, 2)) == [False, True]
    with outlay.Store(url) as store:
        service = outlay.AllowanceService(store=store)
        used = service.get_usage("a")
        assert (used.tokens_used, used.jobs_started, used.active_jobs) == (151, 1, 0)
        assert service.get_allowance("a").daily_token_limit == 1_000


SET = """
manager = outlay.BudgetManager(store=url)
manager.set_budget(outlay.BudgetLimit(agent_id="a", token_budget=100, calls_budget=None, window_secs=3600))
manager.reserve("a", 30)
tell("set")
"""


def test_a_budget_that_one_process_has_set_is_known_after_its_end(url, tmp_path):
    worker = Worker(SET, url)
    assert worker.hear() == "set"
    worker.end()
    with outlay.Store(url) as store:
        manager = outlay.BudgetManager(store=store)
        info = manager.full_info("a")
        assert (info.token_limit, info.tokens_used) == (100, 30)
        assert [each.agent_id for each in manager.all_full_info()] == ["a"]
        with pytest.raises(outlay.PolicyError, match="store"):
            manager.restore(tmp_path / "budgets.json")
        assert manager.remove_budget("a")
        with pytest.raises(outlay.NotConfigured):
            manager.reserve("a", 1)
