"""The protocol of the stores of an `AllowanceService`, and `MemoryStore`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, Protocol, SupportsIndex, runtime_checkable

from outlay._allowances.checks import Id, clamped, instance, no_copies
from outlay._allowances.days import as_datetime, today_of
from outlay._allowances.reports import UsageRecord
from outlay._allowances.values import AgentAllowance, ModelQuota
from outlay._core import AllowanceLedger, check_amount, check_id
from outlay._same import same, same_deeply

if TYPE_CHECKING:
    from outlay._core import ManualClock, SystemClock


@runtime_checkable
class AllowanceStore(Protocol):
    """A user's own store: any object with these ten methods, called with positional arguments.

    The getters raise `KeyError` or return None for an unknown agent or model. The service reads the store
    before each decision and writes to it after it, under one lock for each store: within one process this is
    atomic. The service raises an exception of the store as it is. A write that raised counts as not made. It
    is made again before the next decision about its agent or model; if nothing was recorded, report the event
    again. Tokens of an earlier day are not given back.

    Example:
        >>> isinstance(MemoryStore(), AllowanceStore)
        True

    """

    def get_allowance(self, agent_id: str, /) -> AgentAllowance | None:
        """Return what the agent may do.

        Args:
            agent_id: The agent.

        Raises:
            KeyError: Nothing was set for it; None says the same.

        """

    def set_allowance(self, allowance: AgentAllowance, /) -> object:
        """Keep what an agent may do; what it has used stays.

        Args:
            allowance: The allowance.

        """

    def get_usage(self, agent_id: str, /) -> UsageRecord | None:
        """Return what the agent has used since `period_start`.

        If that is before today, the service calls `reset_usage` before it decides. If it is None, the service
        uses the day on which it last read the record.

        Args:
            agent_id: The agent.

        """

    def increment_usage(self, agent_id: str, tokens: int, jobs: int, /) -> object:
        """Add tokens, and jobs that begin: they are also among those that run.

        Args:
            agent_id: The agent.
            tokens: How many more.
            jobs: How many more: 0 or 1.

        """

    def decrement_active_jobs(self, agent_id: str, /) -> object:
        """Count one job less among those that run.

        Args:
            agent_id: The agent.

        """

    def return_tokens(self, agent_id: str, tokens: int, /) -> object:
        """Take tokens back, never below 0.

        Args:
            agent_id: The agent.
            tokens: How many come back.

        """

    def reset_usage(self, agent_id: str, /) -> object:
        """Begin a new day: no tokens, no jobs begun, and a new `period_start`.

        The jobs that run should stay. The service knows those that have begun with it, but not the others.

        Args:
            agent_id: The agent.

        """

    def get_model_quota(self, model: str, /) -> ModelQuota | None:
        """Return what all agents may use of the model.

        Args:
            model: The model.

        Raises:
            KeyError: Nothing was set for it; None says the same.

        """

    def get_model_usage(self, model: str, /) -> int | None:
        """Return the tokens of the model so far.

        They need not begin anew each day: the service subtracts the count that it read first on a day.

        Args:
            model: The model.

        """

    def increment_model_usage(self, model: str, tokens: int, /) -> object:
        """Add tokens of the model.

        Args:
            model: The model.
            tokens: How many more.

        """


class MemoryStore:
    """An `AllowanceStore` in memory: several services in one process may share it.

    It has no limits of its own: it keeps what the service writes. In a forked child it raises `ForkedLedger`,
    because it would be a copy there.

    Args:
        clock: `SystemClock()` or a `ManualClock`, for the start of the day in records; default the system's.

    Raises:
        PolicyError: The clock is none.

    Example:
        >>> store = MemoryStore()
        >>> store.increment_usage("a-1", 700, 1)
        >>> store.return_tokens("a-1", 100)
        >>> store.get_usage("a-1").tokens_used, store.get_usage("a-1").active_jobs
        (600, 1)

    """

    def __init__(self, *, clock: SystemClock | ManualClock | None = None) -> None:
        # The ledger says which day it is, and refuses calls in a forked child.
        self._calendar = AllowanceLedger(clock=clock)
        self._lock = Lock()
        self._allowances: dict[str, AgentAllowance] = {}
        self._quotas: dict[str, ModelQuota] = {}
        self._usage: dict[str, UsageRecord] = {}
        self._model_usage: dict[str, int] = {}

    def get_allowance(self, agent_id: Id) -> AgentAllowance:
        """Return what the agent may do.

        Args:
            agent_id: The agent.

        Raises:
            KeyError: Nothing was set for it.

        """
        return self._allowances[self._agent(agent_id)[0]]

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """Keep what an agent may do; what it has used stays.

        Args:
            allowance: The allowance.

        Raises:
            PolicyError: It is no `AgentAllowance`.

        """
        agent_id, _ = self._agent(instance(AgentAllowance, allowance, "allowance").agent_id)
        self._allowances[agent_id] = allowance

    def get_usage(self, agent_id: Id) -> UsageRecord:
        """Return what the agent has used since the last reset; zeros where nothing is known of it.

        Args:
            agent_id: The agent.

        """
        agent_id, today = self._agent(agent_id)
        return self._usage.get(agent_id) or UsageRecord(agent_id, 0, 0, 0, today)

    def increment_usage(self, agent_id: Id, tokens: SupportsIndex, jobs: SupportsIndex) -> None:
        """Add tokens and jobs; jobs that begin are also among those that run.

        Args:
            agent_id: The agent.
            tokens: How many more.
            jobs: How many more.

        Raises:
            InvalidAmount: A count is no whole number.

        """
        tokens, jobs = check_amount(tokens, "tokens"), check_amount(jobs, "jobs")
        self._change(agent_id, tokens=tokens, started=jobs, active=jobs)

    def decrement_active_jobs(self, agent_id: Id) -> None:
        """Count one job less among those that run, never below 0.

        Args:
            agent_id: The agent.

        """
        self._change(agent_id, active=-1)

    def return_tokens(self, agent_id: Id, tokens: SupportsIndex) -> None:
        """Take tokens back, never below 0.

        Args:
            agent_id: The agent.
            tokens: How many come back.

        Raises:
            InvalidAmount: The tokens are no whole number.

        """
        self._change(agent_id, tokens=-check_amount(tokens, "tokens"))

    def reset_usage(self, agent_id: Id) -> None:
        """Begin a new day for the agent: no tokens, no jobs begun. Jobs that run go on running.

        Args:
            agent_id: The agent.

        """
        agent_id, today = self._agent(agent_id)
        with self._lock:
            if (record := self._usage.get(agent_id)) is not None:
                self._usage[agent_id] = replace(record, tokens_used=0, jobs_started=0, period_start=today)

    def get_model_quota(self, model: Id) -> ModelQuota:
        """Return what all agents may use of the model.

        Args:
            model: The model.

        Raises:
            KeyError: Nothing was set for it.

        """
        return self._quotas[self._model(model)]

    def set_model_quota(self, quota: ModelQuota) -> None:
        """Keep what all agents may use of a model; what they have used stays.

        Args:
            quota: The quota.

        Raises:
            PolicyError: It is no `ModelQuota`.

        """
        model = self._model(instance(ModelQuota, quota, "quota").model)
        self._quotas[model] = quota

    def get_model_usage(self, model: Id) -> int:
        """Return the tokens of the model so far, over all days.

        Args:
            model: The model.

        """
        return self._model_usage.get(self._model(model), 0)

    def increment_model_usage(self, model: Id, tokens: SupportsIndex) -> None:
        """Add tokens of the model.

        Args:
            model: The model.
            tokens: How many more.

        Raises:
            InvalidAmount: The tokens are no whole number.

        """
        model, added = self._model(model), check_amount(tokens, "tokens")
        with self._lock:
            self._model_usage[model] = clamped(self._model_usage.get(model, 0) + added)

    def _agent(self, agent_id: Id) -> tuple[str, datetime]:
        # Ask before taking the lock: in a forked child, a thread that no longer exists may hold it for ever.
        agent_id = check_id(agent_id, "agent_id")
        return agent_id, as_datetime(today_of(self._calendar, agent_id))

    def _model(self, model: Id) -> str:
        model = check_id(model, "model")
        self._calendar.model_usage(model)
        return model

    def _change(self, agent_id: Id, *, tokens: int = 0, started: int = 0, active: int = 0) -> None:
        agent_id, today = self._agent(agent_id)
        with self._lock:
            record = self._usage.get(agent_id) or UsageRecord(agent_id, 0, 0, 0, today)
            self._usage[agent_id] = UsageRecord(
                agent_id,
                clamped(record.tokens_used + tokens),
                clamped(record.jobs_started + started),
                clamped(record.active_jobs + active),
                record.period_start,
            )

    def __repr__(self) -> str:
        return "<MemoryStore>"

    __copy__ = same
    __deepcopy__ = same_deeply

    def __reduce__(self) -> NoReturn:
        no_copies(self)


for _class in (AllowanceStore, MemoryStore):
    _class.__module__ = "outlay"  # the place that users import from
