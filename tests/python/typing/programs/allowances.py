"""Typed uses of the allowances: `mypy --strict` checks them, nobody runs them."""

from __future__ import annotations

import datetime as dt
from typing import assert_type
from uuid import UUID

from outlay import (
    AgentAllowance,
    AllowanceService,
    AllowanceStatus,
    AllowanceStore,
    Job,
    ManualClock,
    MemoryStore,
    ModelQuota,
    QuotaCheckResult,
    QuotaEvent,
    RepoLimit,
    SystemClock,
    UsageRecord,
    UsageReport,
)


def values() -> None:
    """Keywords for what is set and told; frozen."""
    allowance = AgentAllowance(
        agent_id=UUID(int=1),
        daily_token_limit=1,
        daily_job_limit=2,
        concurrent_jobs=3,
        max_job_duration=dt.timedelta(minutes=5),
        model_allowlist=["m", UUID(int=2)],
    )
    assert_type(allowance.agent_id, str)
    assert_type(allowance.daily_token_limit + allowance.daily_job_limit + allowance.concurrent_jobs, int)
    assert_type(allowance.max_job_duration, float)
    assert_type(allowance.model_allowlist, tuple[str, ...])
    quota = ModelQuota(model="m", daily_token_budget=1, hourly_rate_limit=2, cost_ceiling_micros_usd=3)
    assert_type(quota.daily_token_budget + quota.hourly_rate_limit + quota.cost_ceiling_micros_usd, int)
    limit = RepoLimit(repo="r", max_daily_prs=1, max_daily_issues=2, cooldown_after_failure=1.5)
    assert_type(limit.max_daily_prs + limit.max_daily_issues, int)
    assert_type(limit.cooldown_after_failure, float)
    told = UsageReport(agent_id="a", job_id="j", event="job_failed", timestamp=dt.datetime(2026, 1, 1))
    UsageReport(agent_id="a", job_id="j", event=QuotaEvent.JOB_STARTED, model="m", tokens_in=1, tokens_out=2)
    assert_type(told.event, QuotaEvent)
    assert_type(told.timestamp, dt.datetime | None)
    assert_type(told.tokens_in + told.tokens_out + told.cost_micros_usd, int)
    AgentAllowance("a")  # type: ignore[call-arg]
    AgentAllowance(agent_id=5)  # type: ignore[arg-type]
    AgentAllowance(agent_id="a", concurrent_jobs=1.5)  # type: ignore[arg-type]
    allowance.concurrent_jobs = 5  # type: ignore[misc]


def service(store: AllowanceStore) -> None:
    """Ask for everything, and read the answers."""
    allowances = AllowanceService(store, clock=ManualClock())
    AllowanceService(MemoryStore(clock=SystemClock()))
    AllowanceService(5)  # type: ignore[arg-type]
    AllowanceService(None, ManualClock())  # type: ignore[call-arg]
    allowances.set_allowance(AgentAllowance(agent_id="a"))
    allowances.set_model_quota(ModelQuota(model="m"))
    allowances.set_repo_limit(RepoLimit(repo="r"))
    allowances.set_allowance("a")  # type: ignore[arg-type]
    assert_type(allowances.get_allowance("a"), AgentAllowance | None)
    assert_type(allowances.get_model_quota("m"), ModelQuota | None)
    assert_type(allowances.get_usage(UUID(int=1)), UsageRecord)
    assert_type(allowances.get_usage("a").period_start, dt.datetime | None)
    assert_type(allowances.get_model_usage("m"), int)
    verdict = allowances.check("a", "m", "r")
    assert_type(verdict, QuotaCheckResult)
    assert_type(verdict.status, AllowanceStatus)
    assert_type(verdict.allowed, bool)
    assert_type(verdict.remaining_tokens + verdict.remaining_jobs, int)
    assert_type(verdict.reason, str)
    assert_type(allowances.record_usage(UsageReport(agent_id="a", job_id="j", event="job_failed")), bool)
    assert_type(allowances.overdue_jobs(), list[Job])
    assert_type(allowances.check_repo("r", "pr"), QuotaCheckResult)
    allowances.charge_repo("r", "issue")
    allowances.charge_repo("r", "issues")  # type: ignore[arg-type]
    allowances.record_failure("r")
    allowances.reset_agent("a")


async def jobs(allowances: AllowanceService) -> int:
    """Enter blocks of jobs, which do not swallow errors."""
    job = allowances.start_job("a", "j", model="m", repo=None, estimated_tokens=5)
    allowances.start_job("a", "j", "m")  # type: ignore[call-arg]
    assert_type(job.agent_id + job.job_id + job.model, str)
    assert_type(job.repo, str | None)
    assert_type(job.deadline, dt.datetime | None)
    assert_type(job.complete(1, 2, cost_micros_usd=3), bool)
    assert_type(job.fail(tokens_in=1), bool)
    assert_type(job.cancel(), bool)
    job.model = "n"  # type: ignore[misc]
    async with job as entered:
        assert_type(entered, Job)
    with job:
        return 1


class Own:
    """A user's own store follows the protocol, whatever it calls its arguments."""

    def get_allowance(self, agent: str) -> AgentAllowance | None:
        """Return None for the unknown."""
        return None

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """Keep it."""

    def get_usage(self, agent: str) -> UsageRecord:
        """Return a record."""
        return UsageRecord(agent, 0, 0, 0, None)

    def increment_usage(self, agent: str, tokens: int, jobs: int) -> int:
        """Return anything."""
        return tokens

    def decrement_active_jobs(self, agent: str) -> None:
        """Count down."""

    def return_tokens(self, agent: str, tokens: int) -> None:
        """Count down."""

    def reset_usage(self, agent: str) -> None:
        """Begin a day."""

    def get_model_quota(self, name: str) -> ModelQuota:
        """Raise for the unknown."""
        raise KeyError(name)

    def get_model_usage(self, name: str) -> int:
        """Return a count."""
        return 0

    def increment_model_usage(self, name: str, tokens: int) -> None:
        """Count up."""


stores: list[AllowanceStore] = [Own(), MemoryStore()]
