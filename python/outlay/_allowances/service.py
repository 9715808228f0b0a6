"""`AllowanceService`: it admits the jobs of agents, over all models and repositories."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, SupportsIndex

from outlay._allowances.backend import MemoryBackend
from outlay._allowances.checks import Id, checked_model, given, instance, no_copies
from outlay._allowances.days import as_datetime
from outlay._allowances.job import Job
from outlay._allowances.reports import QuotaCheckResult, UsageRecord, UsageReport
from outlay._allowances.store import AllowanceStore
from outlay._allowances.stored import stored_backend
from outlay._allowances.values import AgentAllowance, ModelQuota, RepoLimit
from outlay._core import AllowanceLedger, Store, check_amount, check_id
from outlay._errors import PolicyError
from outlay._same import same, same_deeply
from outlay._stores.pickled import made_again

if TYPE_CHECKING:
    from outlay._allowances.backend import CountsBackend
    from outlay._core import ManualClock, SystemClock

_log = logging.getLogger("outlay")
_METHODS = [name for name in vars(AllowanceStore) if name[0] != "_"]


class AllowanceService:
    """What agents may do in a UTC day and at the same time, over all models and repositories.

    A job begins in one step over its agent, its model and its repository, or is refused and changes nothing.
    It holds its estimate and its slot until its end is reported. An agent without an allowance is refused.

    Without a store, everything is kept in memory. A `Store`, or its URL, keeps for all processes what is set,
    what was used, and which jobs run.

    An `AllowanceStore` keeps allowances, quotas and usage. All else stays in memory: repositories, hours,
    cost, the ids of jobs and the tokens they hold. It is shared by all services on the same store object and
    clock. Each operation is atomic for all of them within the process, but not between processes. The usage
    of a job is booked in a store on the day of its end.

    Args:
        store: A URL, a `Store`, or an `AllowanceStore`: `MemoryStore()` or an object of your own; default
            None, in memory.
        clock: `SystemClock()` or a `ManualClock`; default the system's.

    Raises:
        PolicyError: The store lacks a method, or the clock is none.

    Example:
        >>> service = AllowanceService()
        >>> service.set_allowance(AgentAllowance(agent_id="a-1", daily_token_limit=1_000, concurrent_jobs=1))
        >>> with service.start_job("a-1", "j-1", estimated_tokens=600) as job:
        ...     service.check("a-1").reason
        ...     job.complete(tokens_in=500, tokens_out=50)
        'concurrent job limit reached'
        True
        >>> service.get_usage("a-1").tokens_used
        550

    """

    __slots__ = ("__weakref__", "_counts", "_made", "_native")

    def __init__(
        self,
        store: str | Store | AllowanceStore | None = None,
        *,
        clock: SystemClock | ManualClock | None = None,
    ) -> None:
        self._counts: CountsBackend
        self._made: tuple[str | Store, SystemClock | ManualClock | None] | None = None
        if store is None or isinstance(store, str | Store):
            self._native = AllowanceLedger(clock=clock, store=store)
            self._counts = MemoryBackend(self._native)
            if store not in (None, "memory://"):
                self._made = store, clock
        else:
            _check_store(store)
            self._counts = stored = stored_backend(store, clock)
            self._native = stored.native

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """Set or change what an agent may do; what it has used and what runs stays.

        Args:
            allowance: The allowance.

        Raises:
            PolicyError: It is no `AgentAllowance`.

        """
        self._counts.set_allowance(instance(AgentAllowance, allowance, "allowance"))

    def set_model_quota(self, quota: ModelQuota) -> None:
        """Set or change what all agents may use of a model; what they have used stays.

        Args:
            quota: The quota. A store without `set_model_quota` is overruled by it.

        Raises:
            PolicyError: It is no `ModelQuota`.

        """
        self._counts.set_model_quota(instance(ModelQuota, quota, "quota"))

    def set_repo_limit(self, limit: RepoLimit) -> None:
        """Set or change what all agents may do in a repository; a cooldown that has begun stays.

        Args:
            limit: The limit.

        Raises:
            PolicyError: It is no `RepoLimit`.

        """
        instance(RepoLimit, limit, "limit")
        cooldown = limit.cooldown_after_failure or None
        self._native.set_repo_limit(limit.repo, limit.max_daily_prs, limit.max_daily_issues, cooldown)

    def get_allowance(self, agent_id: Id) -> AgentAllowance | None:
        """Return what an agent may do, None where nothing was set.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """
        return self._counts.allowance(check_id(agent_id, "agent_id"))

    def get_model_quota(self, model: Id) -> ModelQuota | None:
        """Return what all agents may use of a model, None where nothing was set.

        Args:
            model: The model.

        Raises:
            InvalidId: The name is not allowed.

        """
        return self._counts.model_quota(check_id(model, "model"))

    def get_usage(self, agent_id: Id) -> UsageRecord:
        """Return what an agent has used today; zeros where nothing is known of it.

        Amounts that running jobs hold are not included. An overdue job no longer counts as running; it is
        counted at its estimate until its end is reported.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """
        agent_id = check_id(agent_id, "agent_id")
        used = self._counts.usage(agent_id)
        start = as_datetime(used.day_start_ns)
        return UsageRecord(agent_id, used.tokens, used.jobs_started, used.active_jobs, start)

    def get_model_usage(self, model: Id) -> int:
        """Return the tokens of a model that were charged today.

        Args:
            model: The model.

        Raises:
            InvalidId: The name is not allowed.

        """
        return self._counts.model_usage(check_id(model, "model"))

    def check(self, agent_id: Id, model: Id = "", repo: Id | None = None) -> QuotaCheckResult:
        """Say whether a job that uses one token would pass. It changes nothing, and is advice alone.

        Args:
            agent_id: The agent.
            model: The model; default "", which asks about no model.
            repo: The repository; default None, which asks about none.

        Returns:
            The verdict. Its status is that of the fullest limit.

        Raises:
            NotConfigured: The agent has no allowance.
            InvalidId: An id is not allowed.

        Example:
            >>> service = AllowanceService()
            >>> service.set_allowance(AgentAllowance(agent_id="a-1", model_allowlist=["m-1"]))
            >>> service.check("a-1", "m-2").reason
            'model not in allowlist: m-2'

        """
        model, repo = checked_model(model), _optional(repo)
        return QuotaCheckResult(*self._counts.check(check_id(agent_id, "agent_id"), model, repo))

    def start_job(
        self,
        agent_id: Id,
        job_id: Id,
        *,
        model: Id = "",
        repo: Id | None = None,
        estimated_tokens: SupportsIndex = 0,
    ) -> Job:
        """Check and begin a job in one step.

        Args:
            agent_id: The agent.
            job_id: The job: a name of the agent's own. It is remembered until the end of the day after its
                end.
            model: The model; default "", none.
            repo: The repository; default None.
            estimated_tokens: The tokens that the job holds until its end is reported; default 0.

        Returns:
            The job. Leaving a `with` block of it reports its end; dropping it does not.

        Raises:
            AllowanceExceeded: A limit would be broken; nothing was changed.
            NotConfigured: The agent has no allowance.
            ValueError: A job of that id runs, or is remembered.
            InvalidId: An id is not allowed.
            InvalidAmount: The estimate is no whole number from 0 to 2**64 - 1.

        Example:
            >>> from outlay import AllowanceExceeded
            >>> service = AllowanceService()
            >>> service.set_allowance(AgentAllowance(agent_id="a-1", concurrent_jobs=1))
            >>> job = service.start_job("a-1", "j-1")
            >>> try:
            ...     service.start_job("a-1", "j-2")
            ... except AllowanceExceeded as refused:
            ...     refused.message, refused.retryable
            ('concurrent job limit reached', True)

        """
        ids = check_id(agent_id, "agent_id"), check_id(job_id, "job_id")
        model, repo = checked_model(model), _optional(repo)
        tokens = check_amount(estimated_tokens, "estimated_tokens")
        deadline_ns = self._counts.start_job(*ids, model, repo, tokens)
        deadline = None if deadline_ns is None else as_datetime(deadline_ns)
        return Job(self._record, *ids, model, repo, deadline)

    def record_usage(self, report: UsageReport) -> bool:
        """Record an event of a job. It is never refused, because it has happened.

        The first end of a job counts; later ones are ignored and logged. An end without a start counts its
        tokens once. A failed job gives half of its tokens back, rounded down, a cancelled one all. A job that
        reports no tokens counts as its estimate. Cost is never given back.

        Args:
            report: The report.

        Returns:
            Whether it was counted; False where it was ignored.

        Raises:
            PolicyError: It is no `UsageReport`.

        Example:
            >>> service = AllowanceService()
            >>> done = UsageReport(agent_id="a-1", job_id="j-1", event="job_failed", tokens_in=7)
            >>> service.record_usage(done), service.get_usage("a-1").tokens_used
            (True, 4)

        """
        return self._record(instance(UsageReport, report, "report"))

    def overdue_jobs(self) -> list[Job]:
        """Return the overdue jobs whose end was not reported, the longest overdue first.

        They hold no slot any more, and are counted at their estimates until their ends are reported.
        """
        return [
            Job(self._record, agent_id, job_id, model, repo, as_datetime(deadline_ns))
            for agent_id, job_id, model, repo, deadline_ns in self._native.overdue()
        ]

    def reset_agent(self, agent_id: Id) -> None:
        """Forget what an agent has used today. Jobs that run go on running.

        Args:
            agent_id: The agent.

        Raises:
            InvalidId: The id is not allowed.

        """
        self._counts.reset_agent(check_id(agent_id, "agent_id"))

    def check_repo(self, repo: Id, action: Literal["pr", "issue"]) -> QuotaCheckResult:
        """Say whether a repository takes one more pull request or issue.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Returns:
            The verdict; `remaining_tokens` is what is left of the action.

        Raises:
            InvalidId: The name is not allowed.
            PolicyError: The action is not known.

        """
        return QuotaCheckResult(*self._native.check_repo(check_id(repo, "repo"), action))

    def charge_repo(self, repo: Id, action: Literal["pr", "issue"]) -> None:
        """Count one pull request or issue of a repository, or refuse it.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Raises:
            AllowanceExceeded: There is no room today, or the cooldown after a failure has not ended.
            InvalidId: The name is not allowed.
            PolicyError: The action is not known.

        Example:
            >>> service = AllowanceService()
            >>> service.set_repo_limit(RepoLimit(repo="o/r", max_daily_prs=1))
            >>> service.charge_repo("o/r", "pr")
            >>> service.check_repo("o/r", "pr").allowed, service.check_repo("o/r", "issue").allowed
            (False, True)

        """
        self._native.charge_repo(check_id(repo, "repo"), action)

    def record_failure(self, repo: Id) -> None:
        """Begin the cooldown of a repository. The failure of a job that names it does so by itself.

        Args:
            repo: The repository.

        Raises:
            InvalidId: The name is not allowed.

        """
        self._native.record_failure(check_id(repo, "repo"))

    def _record(self, report: UsageReport, quietly: bool = False) -> bool:
        counted = self._counts.record(report)
        if not (counted or quietly):
            _log.warning(
                "the event %s of job %r of agent %r was recorded before and is ignored",
                report.event,
                report.job_id,
                report.agent_id,
            )
        return counted

    def __repr__(self) -> str:
        return "<AllowanceService>"

    __copy__ = same
    __deepcopy__ = same_deeply

    def __reduce__(self) -> tuple[object, ...]:
        if self._made is None:
            no_copies(self)
        store, clock = self._made
        return made_again, (AllowanceService, None, (store,), {"clock": clock})


def _check_store(store: AllowanceStore) -> None:
    missing = [name for name in _METHODS if not callable(getattr(store, name, None))]
    if missing:
        raise PolicyError(f"store must be an AllowanceStore; {given(store)} has no {', '.join(missing)}")


def _optional(repo: Id | None) -> str | None:
    return None if repo is None else check_id(repo, "repo")


AllowanceService.__module__ = "outlay"  # the place that users import from


def service_from_ledger(native: AllowanceLedger) -> AllowanceService:
    """Return the service over an existing ledger: that of a guard."""
    service = AllowanceService.__new__(AllowanceService)
    service._native, service._made = native, None
    service._counts = MemoryBackend(native)
    return service
