"""The values of the allowances: checked when they are made, frozen, compared by value, pickled."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import pickle
import uuid

import numpy as np
import pytest
from face_support import BAD_AMOUNTS, BAD_IDS, MAX, ODD_IDS, THREES

from outlay import (
    AgentAllowance,
    AllowanceStatus,
    InvalidAmount,
    InvalidId,
    ModelQuota,
    PolicyError,
    QuotaCheckResult,
    QuotaEvent,
    RepoLimit,
    UsageRecord,
    UsageReport,
)

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
VALUES = [
    AgentAllowance(agent_id="a"),
    AgentAllowance(
        agent_id='a"\n',
        daily_token_limit=1,
        daily_job_limit=2,
        concurrent_jobs=3,
        max_job_duration=0.5,
        model_allowlist=["m", "n"],
    ),
    ModelQuota(model="m"),
    ModelQuota(model="m", daily_token_budget=1, hourly_rate_limit=2, cost_ceiling_micros_usd=MAX),
    RepoLimit(repo="o/r"),
    RepoLimit(repo="o/r", max_daily_prs=1, max_daily_issues=2, cooldown_after_failure=60),
    UsageReport(agent_id="a", job_id="j", event="job_started"),
    UsageReport(
        agent_id="a",
        job_id="j",
        event="job_failed",
        model="m",
        tokens_in=1,
        tokens_out=2,
        cost_micros_usd=3,
        timestamp=NOON,
    ),
    UsageRecord("a", 1, 2, 3, NOON),
    UsageRecord("a", 0, 0, 0, None),
    QuotaCheckResult(False, "exceeded", -1, 0, "daily job limit exceeded"),
]
MAKERS = {
    AgentAllowance: lambda **given: AgentAllowance(**{"agent_id": "a", **given}),
    ModelQuota: lambda **given: ModelQuota(**{"model": "m", **given}),
    RepoLimit: lambda **given: RepoLimit(**{"repo": "r", **given}),
    UsageReport: lambda **given: UsageReport(
        **{"agent_id": "a", "job_id": "j", "event": "job_started", **given}
    ),
    UsageRecord: lambda **given: UsageRecord(
        **{
            "agent_id": "a",
            "tokens_used": 0,
            "jobs_started": 0,
            "active_jobs": 0,
            "period_start": None,
            **given,
        }
    ),
    QuotaCheckResult: lambda **given: QuotaCheckResult(
        **{"allowed": True, "status": "ok", "remaining_tokens": 1, "remaining_jobs": 1, "reason": "", **given}
    ),
}
AMOUNTS = [
    (AgentAllowance, "daily_token_limit"),
    (AgentAllowance, "daily_job_limit"),
    (AgentAllowance, "concurrent_jobs"),
    (ModelQuota, "daily_token_budget"),
    (ModelQuota, "hourly_rate_limit"),
    (ModelQuota, "cost_ceiling_micros_usd"),
    (RepoLimit, "max_daily_prs"),
    (RepoLimit, "max_daily_issues"),
    (UsageReport, "tokens_in"),
    (UsageReport, "tokens_out"),
    (UsageReport, "cost_micros_usd"),
    (UsageRecord, "tokens_used"),
    (UsageRecord, "jobs_started"),
    (UsageRecord, "active_jobs"),
    (QuotaCheckResult, "remaining_tokens"),
    (QuotaCheckResult, "remaining_jobs"),
]
IDS = [
    (AgentAllowance, "agent_id"),
    (ModelQuota, "model"),
    (RepoLimit, "repo"),
    (UsageReport, "agent_id"),
    (UsageReport, "job_id"),
    (UsageReport, "model"),
    (UsageRecord, "agent_id"),
]
PERIODS = [(AgentAllowance, "max_job_duration"), (RepoLimit, "cooldown_after_failure")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_compares_by_value_and_can_be_copied(value):
    """A copy, and one that was pickled."""
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert hash(twin) == hash(value)
        assert type(twin) is type(value)
    assert value != 5
    assert sum(value == other for other in VALUES) == 1
    assert len(repr(value).splitlines()) == 1
    assert repr(value).startswith(f"{type(value).__name__}(")
    assert f"outlay.{type(value).__name__}" in repr(type(value))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_frozen(value):
    """No field can be changed or added; `replace` makes another one, which is checked."""
    [field, *_] = dataclasses.fields(value)
    for name in (field.name, "more"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, 1)
    assert dataclasses.replace(value) == value
    if isinstance(value, AgentAllowance):
        with pytest.raises(InvalidAmount):
            dataclasses.replace(value, concurrent_jobs=-1)


@pytest.mark.parametrize(("kind", "argument"), AMOUNTS)
def test_a_bad_amount_is_refused_by_name(kind, argument):
    """Negative, fractional, bool and huge numbers, and what is no number."""
    for label, bad in {**BAD_AMOUNTS, "None": None}.items():
        if kind is QuotaCheckResult and label == "negative":
            bad = -2
        with pytest.raises(InvalidAmount, match=rf"^{argument} must be "):
            pytest.fail(f"{label} was taken: {MAKERS[kind](**{argument: bad})}")
    for three in THREES:
        taken = getattr(MAKERS[kind](**{argument: three}), argument)
        assert (taken, type(taken)) == (3, int)


@pytest.mark.parametrize(("kind", "argument"), IDS)
def test_a_bad_id_is_refused_by_name(kind, argument):
    """1 to 1,024 bytes of UTF-8; a UUID becomes its text."""
    for label, bad in BAD_IDS.items():
        if (kind, argument, label) == (UsageReport, "model", "empty"):
            continue
        with pytest.raises(InvalidId, match=rf"^{argument} must ") as refused:
            pytest.fail(f"{label} was taken: {MAKERS[kind](**{argument: bad})}")
        assert len(str(refused.value)) < 500
    for good in ODD_IDS.values():
        assert getattr(MAKERS[kind](**{argument: good}), argument) == good
    identifier = uuid.UUID(int=7)
    assert getattr(MAKERS[kind](**{argument: identifier}), argument) == str(identifier)


@pytest.mark.parametrize(("kind", "argument"), PERIODS)
def test_a_duration_is_seconds_or_a_timedelta(kind, argument):
    """0 is none; at most 100 years."""
    for good in (0, 60, 0.5, np.int16(60), dt.timedelta(minutes=1), dt.timedelta(0)):
        taken = getattr(MAKERS[kind](**{argument: good}), argument)
        assert isinstance(taken, float)
        assert taken == (good.total_seconds() if isinstance(good, dt.timedelta) else good)
    year = 366 * 86400
    for bad in (-1, -0.1, float("nan"), float("inf"), 101 * year, 10**5000, True, "60", None, 1j, [60]):
        with pytest.raises(PolicyError, match=rf"^{argument} must be seconds"):
            MAKERS[kind](**{argument: bad})
    with pytest.raises(PolicyError, match=rf"^{argument}"):
        MAKERS[kind](**{argument: dt.timedelta(seconds=-1)})


def test_a_list_of_models_is_any_iterable_of_names_but_not_one_name():
    """A text would be a list of its letters."""
    names = ("m", str(uuid.UUID(int=1)))
    for given in (["m", uuid.UUID(int=1)], names, iter(names), dict.fromkeys(names)):
        assert AgentAllowance(agent_id="a", model_allowlist=given).model_allowlist == names
    for bad in ("gpt-x", b"gpt", 5, None):
        with pytest.raises(PolicyError, match=r"^model_allowlist must be a list of names"):
            AgentAllowance(agent_id="a", model_allowlist=bad)
    for bad in BAD_IDS.values():
        with pytest.raises(InvalidId, match=r"^model_allowlist"):
            AgentAllowance(agent_id="a", model_allowlist=["m", bad])


def test_events_and_statuses_are_texts():
    """Str enums: they compare with, and print as, their texts."""
    assert [str(event) for event in QuotaEvent] == [
        "job_started",
        "job_completed",
        "job_failed",
        "job_cancelled",
    ]
    assert [f"{status}" for status in AllowanceStatus] == ["ok", "warning", "exceeded"]
    assert "ok" == AllowanceStatus.OK == AllowanceStatus("ok")
    for given in (QuotaEvent.JOB_FAILED, "job_failed"):
        assert MAKERS[UsageReport](event=given).event is QuotaEvent.JOB_FAILED
    assert QuotaCheckResult(True, "warning", 1, 1, "").status is AllowanceStatus.WARNING
    for bad in ("failed", "JOB_FAILED", "", "\ud800", "x" * 10**6, None, 1, b"job_failed"):
        with pytest.raises(PolicyError, match=r'^event must be one of "job_started"') as refused:
            MAKERS[UsageReport](event=bad)
        assert len(str(refused.value)) < 500
        with pytest.raises(PolicyError, match=r'^status must be one of "ok", "warning", "exceeded"'):
            MAKERS[QuotaCheckResult](status=bad)


@pytest.mark.parametrize(("kind", "argument"), [(UsageReport, "timestamp"), (UsageRecord, "period_start")])
def test_a_moment_is_an_aware_datetime_and_a_naive_one_is_utc(kind, argument):
    """Or None."""
    offset = dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    for given, taken in ((None, None), (NOON, NOON), (NOON.replace(tzinfo=None), NOON), (offset, offset)):
        moment = getattr(MAKERS[kind](**{argument: given}), argument)
        assert moment == taken
        assert moment is None or moment.utcoffset() is not None
    for bad in (0, 1.5, "2026-11-22", dt.date(2026, 11, 22)):
        with pytest.raises(PolicyError, match=rf"^{argument} must be a datetime"):
            MAKERS[kind](**{argument: bad})


@pytest.mark.parametrize(
    ("argument", "bad"), [("allowed", 1), ("allowed", None), ("reason", None), ("reason", 5)]
)
def test_a_check_result_has_a_bool_and_a_text(argument, bad):
    """Nothing that only looks like one."""
    with pytest.raises(PolicyError, match=rf"^{argument} must be a "):
        MAKERS[QuotaCheckResult](**{argument: bad})


@pytest.mark.parametrize("kind", [AgentAllowance, ModelQuota, RepoLimit, UsageReport])
def test_what_is_set_and_told_takes_keywords_alone(kind):
    """Seven numbers in a row would be a trap."""
    with pytest.raises(TypeError):
        kind("a", "b", "c")
