"""The native counts of jobs, models and repositories, which `AllowanceService` uses."""

from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias, final

from outlay._stubs.arguments import Amount, Id, Period
from outlay._stubs.clocks import Clock
from outlay._stubs.stores.store import StoreArg

_Checked: TypeAlias = tuple[bool, str, int, int, str]
_JobEvent: TypeAlias = Literal["job_started", "job_completed", "job_failed", "job_cancelled"]
_RepoAction: TypeAlias = Literal["pr", "issue"]

@final
class AllowanceLedger:
    """The jobs of agents, and what they use of models and repositories: what the allowances stand on.

    A limit of 0 is no limit; days are UTC. An empty `model` is none.

    Args:
        clock: Where time comes from; default None, `SystemClock()`.
        store: Where the counts are kept, a URL or a `Store`; default None, in this object alone.

    Raises:
        PolicyError: It is no clock.

    Example:
        >>> from outlay._core import AllowanceLedger
        >>> ledger = AllowanceLedger()
        >>> ledger.set_allowance("a-1", 1_000, 0, 1, None, [])
        >>> ledger.start_job("a-1", "j-1", "", None, 400)
        >>> ledger.check("a-1", "", None)
        (False, 'exceeded', 600, -1, 'concurrent job limit reached')
        >>> ledger.record("a-1", "j-1", "job_failed", "", 7, 0, 0)
        True
        >>> ledger.usage("a-1")[:3]
        (4, 1, 0)
    """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: dict[int, Any]) -> Self: ...
    def __new__(cls, *, clock: Clock | None = None, store: StoreArg | None = None) -> Self: ...
    def set_allowance(
        self,
        agent_id: Id,
        daily_token_limit: Amount,
        daily_job_limit: Amount,
        concurrent_jobs: Amount,
        max_job_duration: Period | None,
        model_allowlist: Sequence[Id],
    ) -> None:
        """Set or change what an agent may do; what it used and what runs stays.

        Args:
            agent_id: The agent.
            daily_token_limit: Tokens in a day.
            daily_job_limit: Jobs begun in a day.
            concurrent_jobs: Jobs that run at once.
            max_job_duration: When a job's slot is free whatever became of it; None or 0 for never.
            model_allowlist: The models of its jobs; empty for all.

        Raises:
            PolicyError: The duration is not allowed.
        """

    def set_model_quota(
        self,
        model: Id,
        daily_token_budget: Amount,
        hourly_rate_limit: Amount,
        cost_ceiling_micros_usd: Amount,
    ) -> None:
        """Set or change what all agents may use of a model; what they used stays.

        Args:
            model: The model.
            daily_token_budget: Tokens in a day.
            hourly_rate_limit: Jobs begun in any hour.
            cost_ceiling_micros_usd: Cost for ever: jobs begin only while less was spent.
        """

    def set_repo_limit(
        self,
        repo: Id,
        max_daily_prs: Amount,
        max_daily_issues: Amount,
        cooldown_after_failure: Period | None,
    ) -> None:
        """Set or change what all agents may do in a repository; the counts and a cooldown stay.

        Args:
            repo: The repository.
            max_daily_prs: Pull requests in a day.
            max_daily_issues: Issues in a day.
            cooldown_after_failure: How long it refuses jobs after a failed one; None or 0 for not at all.

        Raises:
            PolicyError: The duration is not allowed.
        """

    def model_quota(self, model: Id) -> tuple[int, int, int] | None:
        """Return what was set for a model, None where nothing was.

        Args:
            model: The model.

        Returns:
            The tokens of a day, the requests of an hour and the micro-USD for ever.
        """

    def allowance(self, agent_id: Id) -> tuple[tuple[int, int, int], float, list[str]] | None:
        """Return what was set for an agent, None where nothing was.

        Args:
            agent_id: The agent.

        Returns:
            The tokens and jobs of a day and the jobs at once, the longest duration in seconds (0 for none),
            and the models.
        """

    def is_configured(self, agent_id: Id) -> bool:
        """Return whether an agent has an allowance.

        Args:
            agent_id: The agent.
        """

    def usage(self, agent_id: Id) -> tuple[int, int, int, int]:
        """Return today's tokens and jobs, the jobs that run, and when the day began in ns since 1970.

        Args:
            agent_id: The agent; zeros for one that nothing is known of.
        """

    def model_usage(self, model: Id) -> int:
        """Return the tokens of a model that were charged today.

        Args:
            model: The model.
        """

    def check(self, agent_id: Id, model: Id, repo: Id | None) -> _Checked:
        """Return whether a job of one token would pass: advice, which changes nothing.

        Args:
            agent_id: The agent.
            model: The model, or "".
            repo: The repository, or None.

        Returns:
            allowed, "ok" or "warning" or "exceeded", the tokens and the jobs that are left (-1 for no limit),
            and why not ("" where it is allowed).

        Raises:
            NotConfigured: The agent has no allowance.
        """

    def start_job(
        self, agent_id: Id, job_id: Id, model: Id, repo: Id | None, estimated_tokens: Amount
    ) -> int | None:
        """Begin a job, or refuse it and change nothing.

        Args:
            agent_id: The agent.
            job_id: A name of the agent's own.
            model: The model, or "".
            repo: The repository, or None.
            estimated_tokens: What it holds until it ends.

        Returns:
            When it has run for too long, in ns since 1970, or None for never.

        Raises:
            AllowanceExceeded: A limit refuses.
            NotConfigured: The agent has no allowance.
            ValueError: A job of that id runs, or has ended today or yesterday.
        """

    def withdraw_job(self, agent_id: Id, job_id: Id) -> bool:
        """Take back a job that has just begun: what it holds and counts, and its id.

        Args:
            agent_id: The agent.
            job_id: The job.

        Returns:
            Whether such a job ran.
        """

    def record(
        self,
        agent_id: Id,
        job_id: Id,
        event: _JobEvent,
        model: Id,
        tokens_in: Amount,
        tokens_out: Amount,
        cost_micros_usd: Amount,
    ) -> bool:
        """Take in what happened to a job; False where it was known and changes nothing.

        Args:
            agent_id: The agent.
            job_id: The job.
            event: What happened.
            model: The model, or "".
            tokens_in: Tokens sent, or of a beginning what may be sent.
            tokens_out: Tokens received, or of a beginning what may be received.
            cost_micros_usd: What it has cost, at its end.

        Raises:
            PolicyError: The event is not known.
        """

    def preview(
        self,
        agent_id: Id,
        job_id: Id,
        event: _JobEvent,
        model: Id,
        tokens_in: Amount,
        tokens_out: Amount,
    ) -> tuple[int, int, int, bool, str] | None:
        """Return what `record` would change now, None for nothing.

        Args:
            agent_id: The agent.
            job_id: The job.
            event: What happened.
            model: The model, or "".
            tokens_in: Tokens sent.
            tokens_out: Tokens received.

        Returns:
            The jobs that the report counts, the tokens that it charges, and the tokens that come back. Then
            whether it ends a job that runs, and the model that it counts for.

        Raises:
            PolicyError: The event is not known.
        """

    def overdue(self) -> list[tuple[str, str, str, str | None, int]]:
        """Return the jobs that have run for too long, the longest overdue first.

        Returns:
            The agent, the job, the model, the repository and the deadline in ns since 1970 of each.
        """

    def reset_agent(self, agent_id: Id) -> None:
        """Forget what an agent used today; jobs that run keep their slots.

        Args:
            agent_id: The agent.
        """

    def check_repo(self, repo: Id, action: _RepoAction) -> _Checked:
        """Return whether a repository takes one more action: advice, which changes nothing.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Returns:
            As of `check`: what is left is of the action, and no jobs are counted (-1).

        Raises:
            PolicyError: The action is not known.
        """

    def charge_repo(self, repo: Id, action: _RepoAction) -> None:
        """Count one action of a repository, or refuse it.

        Args:
            repo: The repository.
            action: "pr" or "issue".

        Raises:
            AllowanceExceeded: The limit of the day is reached, or the cooldown after a failure has not ended.
            PolicyError: The action is not known.
        """

    def record_failure(self, repo: Id) -> None:
        """Begin the cooldown of a repository.

        Args:
            repo: The repository.
        """

    def sync_agent(
        self, agent_id: Id, tokens_used: Amount, jobs_started: Amount, active_elsewhere: Amount
    ) -> None:
        """Take over what a store says of an agent's day.

        Args:
            agent_id: The agent.
            tokens_used: Tokens charged today.
            jobs_started: Jobs begun today.
            active_elsewhere: Jobs that run and that this ledger does not know of.
        """

    def sync_model(self, model: Id, tokens_used: Amount) -> None:
        """Take over what a store says of a model's day.

        Args:
            model: The model.
            tokens_used: Tokens charged today.
        """
