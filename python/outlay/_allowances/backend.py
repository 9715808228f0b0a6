"""The protocol for the counts of an `AllowanceService`, and its backend in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from outlay._allowances.values import AgentAllowance, ModelQuota

if TYPE_CHECKING:
    from outlay._allowances.reports import UsageReport
    from outlay._core import AllowanceLedger


class DayUsage(NamedTuple):
    """What an agent has used in a day."""

    tokens: int
    jobs_started: int
    active_jobs: int
    #: The start of the day, in nanoseconds since 1970.
    day_start_ns: int


class CheckVerdict(NamedTuple):
    """What a check says, as `QuotaCheckResult` names it."""

    allowed: bool
    status: str
    remaining_tokens: int
    remaining_jobs: int
    reason: str


class CountsBackend(Protocol):
    """The operations that an `AllowanceService` needs from the backend of its counts."""

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """Set or change what an agent may do."""

    def allowance(self, agent_id: str) -> AgentAllowance | None:
        """Return what an agent may do."""

    def set_model_quota(self, quota: ModelQuota) -> None:
        """Set or change what all agents may use of a model."""

    def model_quota(self, model: str) -> ModelQuota | None:
        """Return what all agents may use of a model."""

    def usage(self, agent_id: str) -> DayUsage:
        """Return what an agent has used today."""

    def model_usage(self, model: str) -> int:
        """Return the tokens of a model that were charged today."""

    def check(self, agent_id: str, model: str, repo: str | None) -> CheckVerdict:
        """Say whether a job that uses one token would pass."""

    def start_job(self, agent_id: str, job_id: str, model: str, repo: str | None, tokens: int) -> int | None:
        """Begin a job, or refuse it. Return when it is overdue, in nanoseconds, or None."""

    def record(self, report: UsageReport) -> bool:
        """Record the event of a job. Return False if it was recorded before."""

    def reset_agent(self, agent_id: str) -> None:
        """Forget what an agent has used today."""


class MemoryBackend:
    """The backend in memory: the native ledger, in which a guard's policy may set values too."""

    def __init__(self, native: AllowanceLedger) -> None:
        self._native = native
        self.model_usage = native.model_usage
        self.start_job = native.start_job
        self.reset_agent = native.reset_agent

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """See `CountsBackend`."""
        set_native_allowance(self._native, allowance.agent_id, allowance)

    def allowance(self, agent_id: str) -> AgentAllowance | None:
        """See `CountsBackend`."""
        return _native_allowance(self._native, agent_id)

    def set_model_quota(self, quota: ModelQuota) -> None:
        """See `CountsBackend`."""
        set_native_quota(self._native, quota.model, quota)

    def model_quota(self, model: str) -> ModelQuota | None:
        """See `CountsBackend`."""
        return _native_quota(self._native, model)

    def usage(self, agent_id: str) -> DayUsage:
        """See `CountsBackend`."""
        return DayUsage(*self._native.usage(agent_id))

    def check(self, agent_id: str, model: str, repo: str | None) -> CheckVerdict:
        """See `CountsBackend`."""
        return CheckVerdict(*self._native.check(agent_id, model, repo))

    def record(self, report: UsageReport) -> bool:
        """See `CountsBackend`."""
        return record_native(self._native, report)


def _native_allowance(native: AllowanceLedger, agent_id: str) -> AgentAllowance | None:
    """Read what was set for an agent."""
    known = native.allowance(agent_id)
    if known is None:
        return None
    (tokens, jobs, concurrent), longest, models = known
    return AgentAllowance(
        agent_id=agent_id,
        daily_token_limit=tokens,
        daily_job_limit=jobs,
        concurrent_jobs=concurrent,
        max_job_duration=longest,
        model_allowlist=tuple(models),
    )


def _native_quota(native: AllowanceLedger, model: str) -> ModelQuota | None:
    """Read what was set for a model."""
    known = native.model_quota(model)
    if known is None:
        return None
    tokens, requests, cost = known
    return ModelQuota(
        model=model, daily_token_budget=tokens, hourly_rate_limit=requests, cost_ceiling_micros_usd=cost
    )


def set_native_allowance(native: AllowanceLedger, agent_id: str, allowance: AgentAllowance) -> None:
    """Set the allowance of an agent in the native ledger."""
    native.set_allowance(
        agent_id,
        allowance.daily_token_limit,
        allowance.daily_job_limit,
        allowance.concurrent_jobs,
        allowance.max_job_duration or None,
        list(allowance.model_allowlist),
    )


def set_native_quota(native: AllowanceLedger, model: str, quota: ModelQuota | None) -> None:
    """Set the quota of a model in the native ledger; None is no limit."""
    if quota is None:
        native.set_model_quota(model, 0, 0, 0)
    else:
        limits = (quota.daily_token_budget, quota.hourly_rate_limit, quota.cost_ceiling_micros_usd)
        native.set_model_quota(model, *limits)


def record_native(native: AllowanceLedger, report: UsageReport) -> bool:
    """Record the event of a job in the native ledger."""
    return native.record(
        report.agent_id,
        report.job_id,
        report.event.value,
        report.model,
        report.tokens_in,
        report.tokens_out,
        report.cost_micros_usd,
    )
