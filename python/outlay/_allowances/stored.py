"""The backend of a service with a user's store: it decides in the native ledger, and writes to the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from outlay._allowances.backend import (
    CheckVerdict,
    DayUsage,
    record_native,
    set_native_allowance,
    set_native_quota,
)
from outlay._allowances.checks import clamped
from outlay._allowances.days import DAY_NS, start_of, today_of
from outlay._allowances.store_state import state_of
from outlay._core import AllowanceLedger, ManualClock, model_names

if TYPE_CHECKING:
    from outlay._allowances.reports import UsageReport
    from outlay._allowances.store import AllowanceStore
    from outlay._allowances.values import AgentAllowance, ModelQuota
    from outlay._core import SystemClock

_Found = TypeVar("_Found")
#: The owner, the last day on which the write may be repeated (None for any), and the write.
_Owed = tuple[tuple[str, str], int | None, Callable[[], object]]


class _Begun(NamedTuple):
    """A job that has begun here and whose end was not reported, with its day and the tokens it holds."""

    day: int
    model: str
    tokens: int


def stored_backend(store: AllowanceStore, clock: SystemClock | ManualClock | None) -> StoredBackend:
    """Return the backend that all services on that store and clock share: what one holds, all of them see."""
    state = state_of(store)
    key = clock if isinstance(clock, ManualClock) else None
    with state.lock:
        backend: StoredBackend | None = state.backends.get(key)
        if backend is None:
            backend = state.backends[key] = StoredBackend(AllowanceLedger(clock=clock), store)
        return backend


class StoredBackend:
    """Takes over the counts of the store, decides in the native ledger, and writes to the store.

    An operation runs under the lock of the store from its read to its write. Only the native ledger knows
    repositories, hours, cost, the ids of jobs and the tokens they hold.
    """

    def __init__(self, native: AllowanceLedger, store: AllowanceStore) -> None:
        self.native = native
        self._store = store
        self._state = state_of(store)
        #: A ledger without allowances: it refuses agents that the store does not know (any more).
        self._empty = AllowanceLedger()
        #: The quotas of a store that cannot set them.
        self._quotas: dict[str, ModelQuota] = {}
        #: By agent and job.
        self._begun: dict[str, dict[str, _Begun]] = {}
        self._has_deadlines = False

    def set_allowance(self, allowance: AgentAllowance) -> None:
        """See `CountsBackend`."""
        # This raises in a forked child, which would wait for ever for a lock that a thread of the parent
        # held.
        self.native.is_configured(allowance.agent_id)
        with self._state.lock:
            self._store.set_allowance(allowance)

    def allowance(self, agent_id: str) -> AgentAllowance | None:
        """See `CountsBackend`."""
        self.native.is_configured(agent_id)
        with self._state.lock:
            return _found(self._store.get_allowance, agent_id)

    def set_model_quota(self, quota: ModelQuota) -> None:
        """See `CountsBackend`."""
        self.native.model_usage(quota.model)
        with self._state.lock:
            setter = getattr(self._store, "set_model_quota", None)
            if setter is None:
                self._quotas[quota.model] = quota
            else:
                setter(quota)

    def model_quota(self, model: str) -> ModelQuota | None:
        """See `CountsBackend`."""
        self.native.model_usage(model)
        with self._state.lock:
            return self._quota(self._counted(model))

    def usage(self, agent_id: str) -> DayUsage:
        """See `CountsBackend`."""
        self.native.is_configured(agent_id)
        with self._state.lock:
            self._read(agent_id, "")
            return DayUsage(*self.native.usage(agent_id))

    def model_usage(self, model: str) -> int:
        """See `CountsBackend`."""
        self.native.model_usage(model)
        with self._state.lock:
            self._read_model(self._counted(model))
            return self.native.model_usage(model)

    def check(self, agent_id: str, model: str, repo: str | None) -> CheckVerdict:
        """See `CountsBackend`."""
        self.native.is_configured(agent_id)
        with self._state.lock:
            return CheckVerdict(*self._read(agent_id, model).check(agent_id, model, repo))

    def start_job(self, agent_id: str, job_id: str, model: str, repo: str | None, tokens: int) -> int | None:
        """See `CountsBackend`."""
        self.native.is_configured(agent_id)
        with self._state.lock:
            native = self._read(agent_id, model)
            deadline = native.start_job(agent_id, job_id, model, repo, tokens)
            try:
                self._store.increment_usage(agent_id, 0, 1)
            except BaseException:
                native.withdraw_job(agent_id, job_id)
                raise
            self._begin(agent_id, job_id, self._counted(model), tokens)
            return deadline

    def record(self, report: UsageReport) -> bool:
        """See `CountsBackend`."""
        agent_id, job_id = report.agent_id, report.job_id
        self.native.is_configured(agent_id)
        with self._state.lock:
            self._read(agent_id, report.model)
            tokens = report.tokens_in, report.tokens_out
            change = self.native.preview(agent_id, job_id, report.event.value, report.model, *tokens)
            if change is None:
                return False
            jobs, _, _, _, model = change
            if model and model != self._counted(report.model):
                self._read_model(model)
            has_ended = self.native.preview(agent_id, job_id, "job_completed", "", 0, 0) is None
            failed = self._write_all(self._writes(agent_id, change, has_ended))
            counted = record_native(self.native, report)
            if not jobs:
                self._end(agent_id, job_id)
            elif not has_ended:
                self._begin(agent_id, job_id, model, sum(tokens))
        if failed is not None:
            raise failed
        return counted

    def reset_agent(self, agent_id: str) -> None:
        """See `CountsBackend`."""
        self.native.is_configured(agent_id)
        with self._state.lock:
            self._state.settle("agent", agent_id, today_of(self.native, agent_id))
            self._store.reset_usage(agent_id)
            self.native.reset_agent(agent_id)

    def _writes(self, agent_id: str, change: tuple[int, int, int, bool, str], has_ended: bool) -> list[_Owed]:
        """Return the writes of a report to the store. Charges come before amounts that come back."""
        jobs, total, returned, frees_slot, model = change
        store, agent = self._store, ("agent", agent_id)
        writes: list[_Owed] = []
        if total or jobs:
            writes.append((agent, None, partial(store.increment_usage, agent_id, total, jobs)))
        if frees_slot or (jobs and has_ended):  # a job whose start is reported after its end does not run
            writes.append((agent, None, partial(store.decrement_active_jobs, agent_id)))
        if returned:
            today = today_of(self.native, agent_id)  # tokens come back on the same day only
            writes.append((agent, today, partial(store.return_tokens, agent_id, returned)))
        if model and total > returned:
            write = partial(store.increment_model_usage, model, total - returned)
            writes.append((("model", model), None, write))
        return writes

    def _write_all(self, writes: list[_Owed]) -> BaseException | None:
        """Make all writes and return the first error, or raise it if the first write fails.

        Other writes that fail are repeated later, because the report has been recorded and will not come
        again.
        """
        failed: BaseException | None = None
        for number, (whose, day, write) in enumerate(writes):
            try:
                write()
            except BaseException as error:
                if number == 0:
                    raise
                self._state.owed.setdefault(whose, []).append((day, write))
                failed = failed or error
        return failed

    def _begin(self, agent_id: str, job_id: str, model: str, tokens: int) -> None:
        day = today_of(self.native, agent_id)
        self._begun.setdefault(agent_id, {})[job_id] = _Begun(day, model, tokens)

    def _end(self, agent_id: str, job_id: str) -> None:
        jobs = self._begun.get(agent_id, {})
        jobs.pop(job_id, None)
        if not jobs:
            self._begun.pop(agent_id, None)

    def _read(self, agent_id: str, model: str) -> AllowanceLedger:
        """Take over the counts of the store; return the ledger that decides about the agent."""
        allowance = _found(self._store.get_allowance, agent_id)
        if allowance is not None:
            set_native_allowance(self.native, agent_id, allowance)
            self._has_deadlines |= bool(allowance.max_job_duration)
        today = today_of(self.native, agent_id)
        self._state.settle("agent", agent_id, today)
        tokens, jobs, active = self._read_usage(agent_id, today)
        # The native ledger already counts the jobs that began here.
        elsewhere = max(0, active - len(self._begun.get(agent_id, ())))
        late = sum(job.tokens for agent, job in self._late(today) if agent == agent_id)
        self.native.sync_agent(agent_id, clamped(tokens + late), jobs, elsewhere)
        if model:
            self._read_model(self._counted(model))
        return self._empty if allowance is None else self.native

    def _quota(self, model: str) -> ModelQuota | None:
        return self._quotas.get(model) or _found(self._store.get_model_quota, model)

    def _counted(self, model: str) -> str:
        """Return the name under which a model is counted: the closest that has a quota, or its own."""
        names = model_names(model) if model else ()
        return next((name for name in names if self._quota(name) is not None), model)

    def _read_usage(self, agent_id: str, today: int) -> tuple[int, int, int]:
        """Return the tokens and jobs of today, and the jobs that run; begin a new day where one is due."""
        record = _found(self._store.get_usage, agent_id)
        seen, start = self._state.seen.get(agent_id), start_of(record)
        if seen is not None and seen >= today:
            is_of_today = True
        elif start is not None and start < today + DAY_NS:
            is_of_today = start >= today
        else:
            # The store does not say, or has another clock: its record is from the day on which we last read
            # it.
            is_of_today = seen is None
        if record is not None and not is_of_today:
            self._store.reset_usage(agent_id)
            record = _found(self._store.get_usage, agent_id)
        self._state.seen[agent_id] = today if seen is None else max(seen, today)
        if record is None:
            return 0, 0, 0
        return clamped(record.tokens_used), clamped(record.jobs_started), clamped(record.active_jobs)

    def _read_model(self, model: str) -> None:
        """Take over the tokens of a model that the store has counted.

        The protocol cannot begin a new day for a model: its tokens only grow. So the count that was read
        first on a day belongs to the days before, and is subtracted. The very first count is taken as
        today's: this may count too much, but never too little.
        """
        set_native_quota(self.native, model, self._quota(model))
        today = today_of(self.native, model)
        self._state.settle("model", model, today)
        total = clamped(_found(self._store.get_model_usage, model) or 0)
        day, before = self._state.models.get(model, (today, 0))
        if day < today:
            day, before = today, total
        if total < before:
            before = 0  # the store has begun a new day itself
        self._state.models[model] = (day, before)
        late = sum(job.tokens for _, job in self._late(today) if job.model == model)
        self.native.sync_model(model, clamped(total - before + late))

    def _late(self, today: int) -> list[tuple[str, _Begun]]:
        """Return today's overdue jobs. They are counted at their estimates until their ends are reported."""
        if not self._has_deadlines:
            return []
        jobs = ((agent, self._begun.get(agent, {}).get(job)) for agent, job, *_ in self.native.overdue())
        return [(agent, job) for agent, job in jobs if job is not None and job.day == today]


def _found(getter: Callable[[str], _Found | None], key: str) -> _Found | None:
    try:
        return getter(key)
    except KeyError:
        return None
