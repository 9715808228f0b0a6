"""`AgentAllowance`, `ModelQuota` and `RepoLimit`: the limits of agents, models and repositories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsIndex

from outlay._allowances.checks import Id, Period, ids, set_fields
from outlay._core import check_amount, check_id, check_period
from outlay._dict_form import DictForm


@dataclass(frozen=True, slots=True, init=False)
class AgentAllowance(DictForm):
    """What one agent may do in a UTC day, and at once. 0 and an empty list are no limit.

    Args:
        agent_id: The agent.
        daily_token_limit: Tokens in a day; default 0, no limit.
        daily_job_limit: Jobs begun in a day; default 0, no limit.
        concurrent_jobs: Jobs that run at the same time; default 0, no limit.
        max_job_duration: After this time a job is overdue and its slot is free, in seconds or as a timedelta;
            default 0, never.
        model_allowlist: The models that the agent's jobs may use; default none named, all are allowed.

    Raises:
        InvalidId: The agent or a model is no `str` (or UUID) of 1 to 1,024 bytes.
        InvalidAmount: A limit is no whole number from 0 to 2**64 - 1.
        PolicyError: The duration is none, or the allowlist is one text instead of several.

    Example:
        >>> AgentAllowance(agent_id="a-1", daily_job_limit=10, model_allowlist=["m-1"]).model_allowlist
        ('m-1',)

    """

    agent_id: str
    daily_token_limit: int
    daily_job_limit: int
    concurrent_jobs: int
    max_job_duration: float
    model_allowlist: tuple[str, ...]

    def __init__(
        self,
        *,
        agent_id: Id,
        daily_token_limit: SupportsIndex = 0,
        daily_job_limit: SupportsIndex = 0,
        concurrent_jobs: SupportsIndex = 0,
        max_job_duration: Period = 0,
        model_allowlist: Iterable[Id] = (),
    ) -> None:
        set_fields(
            self,
            agent_id=check_id(agent_id, "agent_id"),
            daily_token_limit=check_amount(daily_token_limit, "daily_token_limit"),
            daily_job_limit=check_amount(daily_job_limit, "daily_job_limit"),
            concurrent_jobs=check_amount(concurrent_jobs, "concurrent_jobs"),
            max_job_duration=check_period(max_job_duration, "max_job_duration"),
            model_allowlist=ids(model_allowlist, "model_allowlist"),
        )


@dataclass(frozen=True, slots=True, init=False)
class ModelQuota(DictForm):
    """What all agents together may use of one model. 0 is no limit.

    Args:
        model: The model.
        daily_token_budget: Tokens in a UTC day; default 0, no limit.
        hourly_rate_limit: Jobs begun in any 60 minutes; default 0, no limit.
        cost_ceiling_micros_usd: Micro-USD for ever; default 0, no limit.

    Raises:
        InvalidId: The model is no `str` (or UUID) of 1 to 1,024 bytes.
        InvalidAmount: A limit is no whole number from 0 to 2**64 - 1.

    Example:
        >>> ModelQuota(model="m-1", daily_token_budget=1_000_000).hourly_rate_limit
        0

    """

    model: str
    daily_token_budget: int
    hourly_rate_limit: int
    cost_ceiling_micros_usd: int

    def __init__(
        self,
        *,
        model: Id,
        daily_token_budget: SupportsIndex = 0,
        hourly_rate_limit: SupportsIndex = 0,
        cost_ceiling_micros_usd: SupportsIndex = 0,
    ) -> None:
        set_fields(
            self,
            model=check_id(model, "model"),
            daily_token_budget=check_amount(daily_token_budget, "daily_token_budget"),
            hourly_rate_limit=check_amount(hourly_rate_limit, "hourly_rate_limit"),
            cost_ceiling_micros_usd=check_amount(cost_ceiling_micros_usd, "cost_ceiling_micros_usd"),
        )


@dataclass(frozen=True, slots=True, init=False)
class RepoLimit(DictForm):
    """What all agents together may do in one repository. 0 is no limit.

    Args:
        repo: The repository.
        max_daily_prs: Pull requests in a UTC day; default 0, no limit.
        max_daily_issues: Issues in a UTC day; default 0, no limit.
        cooldown_after_failure: The cooldown after a failure, in seconds or as a timedelta; default 0, none.

    Raises:
        InvalidId: The repository is no `str` (or UUID) of 1 to 1,024 bytes.
        InvalidAmount: A limit is no whole number from 0 to 2**64 - 1.
        PolicyError: The cooldown is no duration from 0 to 100 years.

    Example:
        >>> RepoLimit(repo="o/r", max_daily_prs=3, cooldown_after_failure=60).cooldown_after_failure
        60.0

    """

    repo: str
    max_daily_prs: int
    max_daily_issues: int
    cooldown_after_failure: float

    def __init__(
        self,
        *,
        repo: Id,
        max_daily_prs: SupportsIndex = 0,
        max_daily_issues: SupportsIndex = 0,
        cooldown_after_failure: Period = 0,
    ) -> None:
        set_fields(
            self,
            repo=check_id(repo, "repo"),
            max_daily_prs=check_amount(max_daily_prs, "max_daily_prs"),
            max_daily_issues=check_amount(max_daily_issues, "max_daily_issues"),
            cooldown_after_failure=check_period(cooldown_after_failure, "cooldown_after_failure"),
        )


for _class in (AgentAllowance, ModelQuota, RepoLimit):
    _class.__module__ = "outlay"  # the place that users import from
