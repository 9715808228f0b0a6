"""The stubs tell the truth, and every name of the API is there."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import pytest
from docstring_support import CORE, PACKAGE, STUBS, docstrings, listed, nodes, section

import outlay
from outlay import _core

#: What users see, by class: methods and attributes.
API = {
    "SystemClock": "",
    "ManualClock": "advance set_time",
    "Usage": "input_tokens output_tokens total_tokens cost_micros_usd cache_read_tokens cache_write_tokens "
    "reasoning_tokens zero from_response",
    "UsageEstimate": "input_tokens output_tokens total_tokens cost_micros_usd cache_read_tokens "
    "cache_write_tokens reasoning_tokens zero",
    "RequestBudget": "tokens cost_micros_usd unlimited from_tokens from_cost_micros_usd with_limits",
    "Remaining": "tokens cost_micros_usd below_threshold",
    "AgentTokenBudget": "daily hourly consume try_consume check reserve remaining used reserved "
    "usage_percentage is_warning time_until_reset reset add_operation_cost operation_costs agent_id "
    "total_tokens period warning_threshold hard_limit",
    "WorkflowQuota": "hourly begin_workflow end_workflow get active_count period_count remaining "
    "time_until_reset reset",
    "WorkflowToken": "id max_steps execute_step remaining_steps steps_executed duration can_continue",
    "BudgetLimit": "agent_id token_budget calls_budget window_secs",
    "BudgetInfo": "tokens_remaining calls_remaining window_remaining_secs is_exhausted",
    "FullBudgetInfo": "agent_id token_limit tokens_used tokens_remaining calls_limit calls_used "
    "calls_remaining window_secs window_remaining_secs is_exhausted",
    "BudgetManager": "set_budget remove_budget reserve release track_call remaining can_schedule "
    "reset_window full_info all_full_info agent persist restore",
    "AgentBudget": "reserve charge track_call remaining",
    "RateLimiter": "per limit window tokens_per_minute threshold acquire_slot acquire_slot_blocking "
    "try_acquire reserve reserve_wait reserve_blocking record_usage current_usage retry_after observe",
    "SharedPool": "reserve reserve_wait reserve_blocking record_used remaining committed reserved "
    "open_leases",
    "BudgetLease": "id reserved request_budget state expires_in commit release close extend",
    "AgentAllowance": "agent_id daily_token_limit daily_job_limit concurrent_jobs max_job_duration "
    "model_allowlist",
    "ModelQuota": "model daily_token_budget hourly_rate_limit cost_ceiling_micros_usd",
    "RepoLimit": "repo max_daily_prs max_daily_issues cooldown_after_failure",
    "AllowanceStatus": "OK WARNING EXCEEDED",
    "QuotaEvent": "JOB_STARTED JOB_COMPLETED JOB_FAILED JOB_CANCELLED",
    "EstimateReport": "calls input_mean input_p95 output_mean output_p95",
    "QuotaCheckResult": "allowed status remaining_tokens remaining_jobs reason",
    "UsageRecord": "agent_id tokens_used jobs_started active_jobs period_start",
    "UsageReport": "agent_id job_id event model tokens_in tokens_out cost_micros_usd timestamp",
    "AllowanceService": "set_allowance set_model_quota set_repo_limit get_allowance get_model_quota "
    "get_usage get_model_usage check start_job record_usage overdue_jobs reset_agent check_repo charge_repo "
    "record_failure",
    "Job": "job_id agent_id model repo deadline complete fail cancel",
    "AllowanceStore": "get_allowance set_allowance get_usage increment_usage decrement_active_jobs "
    "return_tokens reset_usage get_model_quota get_model_usage increment_model_usage",
    "MemoryStore": "get_allowance set_allowance get_usage increment_usage decrement_active_jobs "
    "return_tokens reset_usage get_model_quota get_model_usage increment_model_usage set_model_quota",
    "LimitExceeded": "message kind limit used reserved requested remaining retry_after retryable suggestion "
    "scope to_llm_message payload",
    "BudgetExceeded": "agent_id total resets_in",
    "WorkflowLimitExceeded": "workflow_id current resets_in",
    "StepLimitExceeded": "workflow_id steps_executed max_steps",
    "RateLimitExceeded": "current",
}
#: The other names of the API.
NAMES = """
    AllowanceExceeded Budget ForkedLedger Indeterminate InvalidAmount InvalidId LLM_MESSAGE_SCHEMA LeaseError
    LeaseExpired LeaseFinalized NotConfigured OutlayError PolicyError QuotaExceeded RequestBudgetExceeded
    StoreCorrupt StoreError StoreUnavailable ThresholdExceeded UnknownLease WaitTimeout estimates governed usd
"""


STUB_NODES = {name: node for path in STUBS for name, node in nodes(path) if name}
STUB_TEXTS = {documented.name: documented.text for path in STUBS for documented in docstrings(path)}
PUBLIC = [name for name in STUB_NODES if not any(part[0] == "_" for part in name.split("."))]
CLASSES = [name for name in PUBLIC if isinstance(STUB_NODES[name], ast.ClassDef)]
#: The public classes that are written in Python, and their public methods.
ALLOWANCES = {
    name: node
    for module in ("service", "job", "store", "values", "reports")
    for name, node in nodes(PACKAGE / "_allowances" / f"{module}.py")
    if name.split(".")[0] in API and not any(part[0] == "_" for part in name.split("."))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_in_the_stub_is_documented(name: str) -> None:
    assert name in STUB_TEXTS, f"{name} has no docstring"
    assert STUB_TEXTS[name].splitlines()[0].endswith("."), "one summary line, a sentence"


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_the_stub_has_an_example(name: str) -> None:
    assert ">>>" in section(STUB_TEXTS[name], "Example")


@pytest.mark.parametrize("name", PUBLIC)
def test_the_documented_arguments_are_those_of_the_signature(name: str) -> None:
    # A class documents what its constructor takes.
    signature = STUB_NODES.get(f"{name}.__new__", STUB_NODES[name])
    arguments: list[str] = []
    if isinstance(signature, ast.FunctionDef | ast.AsyncFunctionDef):
        given = signature.args
        each = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        arguments = [one.arg for one in each if one.arg not in ("self", "cls") and one.arg[0] != "_"]
    assert listed(STUB_TEXTS[name], "Args") == arguments


@pytest.mark.parametrize("name", PUBLIC)
def test_the_documented_exceptions_exist(name: str) -> None:
    for raised in listed(STUB_TEXTS[name], "Raises"):
        error: Any = getattr(outlay, raised, None) or getattr(builtins, raised)
        assert issubclass(error, Exception)


@pytest.mark.parametrize("name", ALLOWANCES)
def test_what_is_public_of_the_allowances_is_documented(name: str) -> None:
    node, text = ALLOWANCES[name], ast.get_docstring(ALLOWANCES[name])
    assert text is not None, f"{name} has no docstring"
    assert text.splitlines()[0].endswith("."), "one summary line, a sentence"
    if isinstance(node, ast.ClassDef):
        assert ">>>" in text
    else:
        given = [one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        assert listed(text, "Args") == [one for one in given if one not in ("self", "leaving")]


def test_a_star_import_brings_every_name() -> None:
    names: dict[str, Any] = {}
    exec("from outlay import *", names)
    for name in outlay.__all__:
        assert names[name] is getattr(outlay, name)
    assert len(set(outlay.__all__)) == len(outlay.__all__)


@pytest.mark.parametrize("name", [*API, *NAMES.split()])
def test_a_name_of_the_api_is_exported(name: str) -> None:
    assert name in outlay.__all__
    for member in API.get(name, "").split():
        assert hasattr(getattr(outlay, name), member), f"{name}.{member} is missing"


def test_the_stub_lists_what_the_native_module_exports() -> None:
    [names] = [node for node in dict(nodes(CORE))[""].body if isinstance(node, ast.Assign)]
    assert sorted(ast.literal_eval(names.value)) == sorted(_core.__all__)
