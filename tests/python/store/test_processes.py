"""Processes that share one file: the limit holds over all of them, and is used to the last unit."""

from __future__ import annotations

import pytest
from store_support import Worker, together

import outlay

CONSUME = """
budget = outlay.AgentTokenBudget.daily("researcher", 1_000, store=url)
meet()
tell(sum(budget.try_consume("query", 1) for _ in range(500)))
"""


def test_four_processes_use_a_budget_to_the_last_unit_and_no_further(url):
    admitted = together(CONSUME, url, 4)
    assert sum(admitted) == 1_000
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("researcher", 1_000, store=store)
        assert (budget.used(), budget.remaining()) == (1_000, 0)


POLICY = {
    "budget": [
        {"name": "all", "limit": {"tokens": 40}},
        {"name": "own", "scope": {"agent": "*"}, "limit": {"calls": 15}, "window": "calendar:year"},
    ],
    "workflow": [{"name": "release", "limit": {"steps": 9}, "step": {"review": {"calls": 3}}}],
    "pool": [{"name": "llm", "max_concurrent": 4, "limit": {"tokens": 1_000}}],
    "limiter": [{"name": "rpm", "requests_per_hour": 37}],
    "tool": [{"name": "search", "limit": {"calls": 7}}],
}
POLICY["budget"][1]["window"] = "calendar:month"
GUARD = f"""
guard = outlay.Guard({POLICY!r}, store=url)
def passes(**request):
    try:
        guard.reserve(**request).commit()
    except outlay.LimitExceeded:
        return False
    return True
meet()
tell({{
    "calls": [passes(estimate=1, agent=f"a-{{number % 2}}", model="m") for _ in range(30)].count(True),
    "tools": [passes(tool="search", agent="none") for _ in range(10)].count(True),
}})
"""


def test_a_guard_with_rules_of_all_kinds_holds_over_four_processes(url):
    told = together(GUARD, url, 4)
    # The two agents have 15 calls each, and the tokens, requests and slots leave more than that.
    assert sum(one["calls"] for one in told) == 30
    assert sum(one["tools"] for one in told) == 7


HOLDS = """
budget = outlay.AgentTokenBudget.daily("researcher", 1_000, store=url)
budget.consume("query", 10)
tell(budget.used())
sys.stdin.readline()
"""


def test_a_restart_remembers(url):
    worker = Worker(HOLDS, url)
    assert worker.hear() == 10
    worker.go()
    worker.end()
    worker = Worker(HOLDS, url)
    assert worker.hear() == 20
    worker.go()
    worker.end()


def test_the_share_of_a_killed_process_is_written_off_and_others_go_on(url):
    worker = Worker(HOLDS, url)
    assert worker.hear() == 10
    worker.kill()
    with outlay.Store(url) as store:
        budget = outlay.AgentTokenBudget.daily("researcher", 1_000, store=store)
        passed = sum(budget.try_consume("query", 1) for _ in range(1_000))
        # A crash writes off at most what 32 calls need: here 32 times 10, beside the 10 that were used.
        assert 1_000 - 10 - 33 * 10 <= passed <= 990


SLOTS = """
guard = outlay.Guard({"pool": [{"name": "llm", "max_concurrent": 2}]}, store=url)
held = [guard.reserve(model="m") for _ in range(2)]
tell(len(held))
sys.stdin.readline()
"""


def test_the_slots_of_a_killed_process_come_back(url):
    worker = Worker(SLOTS, url)
    assert worker.hear() == 2
    guard = outlay.Guard({"pool": [{"name": "llm", "max_concurrent": 2}]}, store=url)
    with pytest.raises(outlay.AllowanceExceeded):
        guard.reserve(model="m")
    worker.kill()
    guard.reserve_blocking(model="m", timeout=20).commit()
    outlay.Store(url).close()
