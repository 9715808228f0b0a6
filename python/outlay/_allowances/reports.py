"""The reports of jobs, and the results of reading usage and checking limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import SupportsIndex

from outlay._allowances.checks import Id, checked_model, instance, left, moment, named, set_fields
from outlay._core import check_amount, check_id
from outlay._dict_form import DictForm


class AllowanceStatus(StrEnum):
    """How far the limits are used: "ok", "warning" (80 % of one of them) or "exceeded".

    Example:
        >>> AllowanceStatus.WARNING == "warning", str(AllowanceStatus("ok"))
        (True, 'ok')

    """

    OK = "ok"
    WARNING = "warning"
    EXCEEDED = "exceeded"


class QuotaEvent(StrEnum):
    """What happened to a job: it began, or it ended in one of three ways.

    Example:
        >>> [str(event) for event in QuotaEvent]
        ['job_started', 'job_completed', 'job_failed', 'job_cancelled']

    """

    JOB_STARTED = "job_started"
    JOB_COMPLETED = "job_completed"
    JOB_FAILED = "job_failed"
    JOB_CANCELLED = "job_cancelled"


@dataclass(frozen=True, slots=True, init=False)
class UsageReport(DictForm):
    """An event of a job, reported after it happened. Reports may come twice, late or out of order.

    Args:
        agent_id: The agent.
        job_id: The job: a name of the agent's own.
        event: A `QuotaEvent` or its text.
        model: The model; default "", that of the start.
        tokens_in: Tokens sent; default 0. On `job_started`, what the job may send.
        tokens_out: Tokens received; default 0. On `job_started`, what the job may receive.
        cost_micros_usd: What the job has cost; default 0. It is never given back.
        timestamp: When it happened, for your own records; it counts when it is reported. A naive datetime is
            taken as UTC; default None.

    Raises:
        InvalidId: An id is no `str` (or UUID) of 1 to 1,024 bytes.
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.
        PolicyError: The event is not known, or the timestamp is no datetime.

    Example:
        >>> UsageReport(agent_id="a-1", job_id="j-1", event="job_failed", tokens_in=7).event
        <QuotaEvent.JOB_FAILED: 'job_failed'>

    """

    agent_id: str
    job_id: str
    event: QuotaEvent
    model: str
    tokens_in: int
    tokens_out: int
    cost_micros_usd: int
    timestamp: datetime | None

    def __init__(
        self,
        *,
        agent_id: Id,
        job_id: Id,
        event: QuotaEvent | str,
        model: Id = "",
        tokens_in: SupportsIndex = 0,
        tokens_out: SupportsIndex = 0,
        cost_micros_usd: SupportsIndex = 0,
        timestamp: datetime | None = None,
    ) -> None:
        set_fields(
            self,
            agent_id=check_id(agent_id, "agent_id"),
            job_id=check_id(job_id, "job_id"),
            event=named(QuotaEvent, event, "event"),
            model=checked_model(model),
            tokens_in=check_amount(tokens_in, "tokens_in"),
            tokens_out=check_amount(tokens_out, "tokens_out"),
            cost_micros_usd=check_amount(cost_micros_usd, "cost_micros_usd"),
            timestamp=moment(timestamp, "timestamp"),
        )


@dataclass(frozen=True, slots=True, init=False)
class UsageRecord(DictForm):
    """What one agent has used in a UTC day.

    Args:
        agent_id: The agent.
        tokens_used: Tokens charged; what running jobs hold is not among them.
        jobs_started: Jobs begun.
        active_jobs: Jobs that run.
        period_start: When the day began. A naive datetime is taken as UTC; None where a store does not say.

    Raises:
        InvalidId: The agent is no `str` (or UUID) of 1 to 1,024 bytes.
        InvalidAmount: A count is no whole number from 0 to 2**64 - 1.
        PolicyError: The start is no datetime.

    Example:
        >>> UsageRecord("a-1", 700, 2, 1, datetime(2026, 11, 22)).period_start.isoformat()
        '2026-11-22T00:00:00+00:00'

    """

    agent_id: str
    tokens_used: int
    jobs_started: int
    active_jobs: int
    period_start: datetime | None

    def __init__(
        self,
        agent_id: Id,
        tokens_used: SupportsIndex,
        jobs_started: SupportsIndex,
        active_jobs: SupportsIndex,
        period_start: datetime | None,
    ) -> None:
        set_fields(
            self,
            agent_id=check_id(agent_id, "agent_id"),
            tokens_used=check_amount(tokens_used, "tokens_used"),
            jobs_started=check_amount(jobs_started, "jobs_started"),
            active_jobs=check_amount(active_jobs, "active_jobs"),
            period_start=moment(period_start, "period_start"),
        )


@dataclass(frozen=True, slots=True, init=False)
class QuotaCheckResult(DictForm):
    """The result of a check. It is advice: another thread may be faster.

    Args:
        allowed: Whether one more would pass.
        status: An `AllowanceStatus` or its text.
        remaining_tokens: What is left of the day's tokens, or of a repository's action; -1 for no limit.
        remaining_jobs: What is left of the day's jobs; -1 for no limit.
        reason: Why not; "" where it is allowed.

    Raises:
        InvalidAmount: What is left is no whole number from -1 to 2**64 - 1.
        PolicyError: The status is not known, or an argument is of another type.

    Example:
        >>> QuotaCheckResult(True, "ok", -1, 3, "").status
        <AllowanceStatus.OK: 'ok'>

    """

    allowed: bool
    status: AllowanceStatus
    remaining_tokens: int
    remaining_jobs: int
    reason: str

    def __init__(
        self,
        allowed: bool,
        status: AllowanceStatus | str,
        remaining_tokens: SupportsIndex,
        remaining_jobs: SupportsIndex,
        reason: str,
    ) -> None:
        set_fields(
            self,
            allowed=instance(bool, allowed, "allowed"),
            status=named(AllowanceStatus, status, "status"),
            remaining_tokens=left(remaining_tokens, "remaining_tokens"),
            remaining_jobs=left(remaining_jobs, "remaining_jobs"),
            reason=instance(str, reason, "reason"),
        )


for _class in (AllowanceStatus, QuotaEvent, UsageReport, UsageRecord, QuotaCheckResult):
    _class.__module__ = "outlay"  # the place that users import from
