"""`to_dict` and `from_dict` of every value class: plain types of JSON, and the same value again."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

import outlay
from outlay import (
    AgentAllowance,
    BudgetInfo,
    BudgetLimit,
    FullBudgetInfo,
    InvalidAmount,
    InvalidId,
    ModelQuota,
    PolicyError,
    QuotaCheckResult,
    Remaining,
    RepoLimit,
    RequestBudget,
    Usage,
    UsageEstimate,
    UsageRecord,
    UsageReport,
)
from outlay._usage.calibration import EstimateReport

MAX = 2**64 - 1
DAY = datetime(2026, 11, 30, 7, 8, 9, 123456, tzinfo=UTC)
# No float has so many microseconds exactly.
LONG = timedelta(days=36_000, microseconds=1)
FULL = {
    "agent_id": "a-1",
    "token_limit": MAX,
    "tokens_used": 2,
    "tokens_remaining": MAX - 2,
    "calls_limit": None,
    "calls_used": 3,
    "calls_remaining": None,
    "window_secs": 60.0,
    "window_remaining_secs": 12.5,
    "is_exhausted": False,
}
# Each value, and its dict as written by hand.
VALUES = [
    (
        Usage(
            input_tokens=100,
            output_tokens=20,
            total_tokens=125,
            cost_micros_usd=7,
            cache_read_tokens=30,
            cache_write_tokens=20,
            cache_write_1h_tokens=10,
            reasoning_tokens=5,
        ),
        {
            "input_tokens": 100,
            "output_tokens": 20,
            "total_tokens": 125,
            "cost_micros_usd": 7,
            "cache_read_tokens": 30,
            "cache_write_tokens": 20,
            "cache_write_1h_tokens": 10,
            "reasoning_tokens": 5,
        },
    ),
    (UsageEstimate(total_tokens=MAX), {"input_tokens": 0, "output_tokens": 0, "total_tokens": MAX}),
    (RequestBudget(tokens=5), {"tokens": 5, "cost_micros_usd": None}),
    (Remaining(None, 5, True), {"tokens": None, "cost_micros_usd": 5, "below_threshold": True}),
    (
        BudgetLimit(agent_id="a-1", token_budget=9, calls_budget=None, window_secs=0.1),
        {"agent_id": "a-1", "token_budget": 9, "calls_budget": None, "window_secs": 0.1},
    ),
    (
        BudgetLimit(agent_id="a-1", token_budget=9, calls_budget=None, window_secs=LONG),
        {"agent_id": "a-1", "token_budget": 9, "calls_budget": None, "window_secs": "3110400000.000001"},
    ),
    (
        BudgetLimit(agent_id="a-1", token_budget=None, calls_budget=1, window_secs=None),
        {"agent_id": "a-1", "token_budget": None, "calls_budget": 1, "window_secs": None},
    ),
    (
        BudgetInfo(5, None, 60.0, False),
        {
            "tokens_remaining": 5,
            "calls_remaining": None,
            "window_remaining_secs": 60.0,
            "is_exhausted": False,
        },
    ),
    (FullBudgetInfo(**FULL), FULL),
    (
        AgentAllowance(agent_id="a-1", daily_token_limit=5, max_job_duration=60, model_allowlist=["m", "n"]),
        {
            "agent_id": "a-1",
            "daily_token_limit": 5,
            "daily_job_limit": 0,
            "concurrent_jobs": 0,
            "max_job_duration": 60.0,
            "model_allowlist": ["m", "n"],
        },
    ),
    (
        ModelQuota(model="m", cost_ceiling_micros_usd=4),
        {"model": "m", "daily_token_budget": 0, "hourly_rate_limit": 0, "cost_ceiling_micros_usd": 4},
    ),
    (
        RepoLimit(repo="o/r", max_daily_prs=2),
        {"repo": "o/r", "max_daily_prs": 2, "max_daily_issues": 0, "cooldown_after_failure": 0.0},
    ),
    (
        UsageReport(agent_id="a", job_id="j", event="job_failed", tokens_in=3, timestamp=DAY),
        {
            "agent_id": "a",
            "job_id": "j",
            "event": "job_failed",
            "model": "",
            "tokens_in": 3,
            "tokens_out": 0,
            "cost_micros_usd": 0,
            "timestamp": "2026-11-30T07:08:09.123456+00:00",
        },
    ),
    (
        UsageRecord("a", 1, 2, 3, DAY.astimezone(timezone(timedelta(hours=5, minutes=30)))),
        {
            "agent_id": "a",
            "tokens_used": 1,
            "jobs_started": 2,
            "active_jobs": 3,
            "period_start": "2026-11-30T12:38:09.123456+05:30",
        },
    ),
    (
        QuotaCheckResult(False, "exceeded", -1, 0, "daily job limit exceeded"),
        {
            "allowed": False,
            "status": "exceeded",
            "remaining_tokens": -1,
            "remaining_jobs": 0,
            "reason": "daily job limit exceeded",
        },
    ),
    (
        EstimateReport(calls=2, input_mean=0.7, input_p95=0.8, output_mean=0.1, output_p95=0.2),
        {"calls": 2, "input_mean": 0.7, "input_p95": 0.8, "output_mean": 0.1, "output_p95": 0.2},
    ),
]
IDS = [f"{number} {type(value).__name__}" for number, (value, _) in enumerate(VALUES)]


@pytest.mark.parametrize(("value", "written"), VALUES, ids=IDS)
def test_the_dict_has_every_field_as_json_writes_it(value, written):
    """Through JSON and back, too."""
    given = value.to_dict()
    assert written.items() <= given.items()
    assert json.loads(json.dumps(given)) == given
    assert {type(field) for field in given.values()} <= {str, int, float, bool, type(None), list, dict}
    again = type(value).from_dict(json.loads(json.dumps(given)))
    assert again == value
    assert type(again) is type(value)
    assert again.to_dict() == given


@pytest.mark.parametrize(("value", "written"), VALUES, ids=IDS)
def test_what_is_left_out_has_the_default_of_the_class(value, written):
    """What the constructor needs is named where it is missing."""
    kind = type(value)
    for name, parameter in inspect.signature(kind).parameters.items():
        short = {key: field for key, field in value.to_dict().items() if key != name}
        if parameter.default is inspect.Parameter.empty:
            with pytest.raises(PolicyError, match=f"{kind.__name__}.from_dict needs the field '{name}'"):
                kind.from_dict(short)
        else:
            keywords = {key: getattr(value, key) for key in short}
            assert kind.from_dict(short) == kind(**keywords)


@pytest.mark.parametrize(("value", "written"), VALUES, ids=IDS)
def test_an_unknown_key_is_named(value, written):
    """A slip of the pen is no field that nobody reads."""
    kind = type(value)
    message = f"{kind.__name__} has no field 'tokenz'; it has {next(iter(written))}"
    with pytest.raises(PolicyError, match=message):
        kind.from_dict({**value.to_dict(), "tokenz": 1})
    with pytest.raises(PolicyError, match="has no field '1'"):
        kind.from_dict({**value.to_dict(), 1: 1})


@pytest.mark.parametrize("data", [None, [], "x", 5, [("tokens", 5)]])
def test_what_is_no_dict_is_refused(data):
    for kind in (RequestBudget, ModelQuota):
        with pytest.raises(PolicyError, match=f"{kind.__name__}.from_dict takes a dict, not a"):
            kind.from_dict(data)


def test_a_field_is_checked_as_by_the_constructor():
    """With the error that names it."""
    with pytest.raises(InvalidAmount, match="input_tokens"):
        Usage.from_dict({"input_tokens": -1})
    with pytest.raises(InvalidAmount, match="tokens"):
        RequestBudget.from_dict({"tokens": 1.5})
    with pytest.raises(InvalidId, match="agent_id"):
        AgentAllowance.from_dict({"agent_id": ""})
    for text in ("soon", "", "nan", "1e400"):
        with pytest.raises(PolicyError, match="window_secs"):
            BudgetLimit.from_dict(
                {"agent_id": "a", "token_budget": 1, "calls_budget": 1, "window_secs": text}
            )
    with pytest.raises(PolicyError, match="timestamp"):
        UsageReport.from_dict({"agent_id": "a", "job_id": "j", "event": "job_failed", "timestamp": "today"})


def test_units_and_ways_of_billing_are_in_the_dict():
    usage = Usage(input_tokens=1, units={"web_search": 3}, billed_as=("priority",))
    assert usage.to_dict()["units"] == {"web_search": 3}
    assert usage.to_dict()["billed_as"] == ["priority"]
    assert Usage.from_dict(json.loads(json.dumps(usage.to_dict()))) == usage


def test_every_value_class_has_both():
    """Whatever the package exports that compares by value and is made again by a pickle."""

    def is_value(kind):
        remade = ("__getnewargs__", "__getnewargs_ex__", "__dataclass_fields__")
        return inspect.isclass(kind) and any(name in vars(kind) for name in remade)

    exported = {getattr(outlay, name) for name in outlay.__all__ if is_value(getattr(outlay, name))}
    assert exported | {EstimateReport} == {type(value) for value, _ in VALUES}
