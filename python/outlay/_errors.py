"""The refusals. Each carries JSON that the model can read. The faults are in `_faults`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, ClassVar

from outlay._core import Denial, set_exceptions
from outlay._faults import (
    ForkedLedger,
    Indeterminate,
    InvalidAmount,
    InvalidId,
    LeaseError,
    LeaseExpired,
    LeaseFinalized,
    OutlayError,
    PolicyError,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    UnknownLease,
)

if TYPE_CHECKING:
    from outlay.types import LLMMessage

__all__ = [
    "AllowanceExceeded",
    "BudgetExceeded",
    "ForkedLedger",
    "Indeterminate",
    "InvalidAmount",
    "InvalidId",
    "LeaseError",
    "LeaseExpired",
    "LeaseFinalized",
    "LimitExceeded",
    "NotConfigured",
    "OutlayError",
    "PolicyError",
    "QuotaExceeded",
    "RateLimitExceeded",
    "RequestBudgetExceeded",
    "StepLimitExceeded",
    "StoreCorrupt",
    "StoreError",
    "StoreUnavailable",
    "ThresholdExceeded",
    "UnknownLease",
    "WaitTimeout",
    "WorkflowLimitExceeded",
]


class LimitExceeded(OutlayError):
    """A refusal: a limit would have been broken, nothing was changed.

    ``str(exc)`` and :meth:`to_llm_message` are one line of JSON of at most 1 KB, valid whatever is
    in the ids; :attr:`payload` is the same as a dict. The text is made when it is read. A guard's
    policy decides with ``show`` what names and totals are in it; the attributes have all of them,
    and so has the note (PEP 678) that a traceback prints.

    Example:
        >>> import outlay
        >>> budget = outlay.AgentTokenBudget.hourly("a-1", 100)
        >>> try:
        ...     budget.consume("query", 200)
        ... except outlay.LimitExceeded as refused:
        ...     refused.payload["error"], refused.remaining
        ('budget_exceeded', 100)

    """

    # No __init__: args is the one Denial, so that pickling and copying work by themselves.
    _error: ClassVar[str] = "budget_exceeded"
    _kind: ClassVar[str] = "token"

    @property
    def _denial(self) -> Denial:
        argument = self.args[0] if self.args else None
        if isinstance(argument, Denial):
            return argument
        # Raised by hand with a sentence: everything but the sentence is unknown.
        reason = None if argument is None else str(argument).encode(errors="replace").decode()
        return Denial(self._error, self._kind, reason=reason)

    @property
    def message(self) -> str:
        """What ran out, in a sentence with all names."""
        return self._denial.message

    @property
    def kind(self) -> str:
        """What ran out: "token", "call", "cost", "workflow_limit", "step_limit", ..."""
        return self._denial.kind

    @property
    def limit(self) -> int:
        """The maximum in the window."""
        return self._denial.limit

    @property
    def used(self) -> int:
        """What was charged in the window."""
        return self._denial.used

    @property
    def reserved(self) -> int:
        """What open leases hold."""
        return self._denial.reserved

    @property
    def requested(self) -> int:
        """What was asked for."""
        return self._denial.requested

    @property
    def remaining(self) -> int:
        """What could still be admitted."""
        return self._denial.remaining

    @property
    def retry_after(self) -> float | None:
        """Seconds until the same request could pass, None where waiting never helps."""
        return self._denial.retry_after

    @property
    def retryable(self) -> bool:
        """Whether waiting is the cure; False where the budget is spent."""
        return self._denial.retryable

    @property
    def suggestion(self) -> str:
        """What to do now."""
        return self._denial.suggestion

    @property
    def scope(self) -> dict[str, str]:
        """The labels of the request that was refused."""
        return self._denial.scope

    @property
    def payload(self) -> LLMMessage:
        """The JSON of :meth:`to_llm_message` as a dict."""
        return json.loads(self.to_llm_message())  # type: ignore[no-any-return]

    def to_llm_message(self) -> str:
        """Return the refusal as one line of JSON for the model."""
        return self._denial.to_json()

    def __str__(self) -> str:
        return self.to_llm_message()

    @property
    def __notes__(self) -> list[str]:
        """What a person reads below the error; made when it is read first."""
        if "_notes" not in self.__dict__:
            self.__notes__ = [denial.note() for denial in self.args[:1] if isinstance(denial, Denial)]
        notes: list[str] = self.__dict__["_notes"]
        return notes

    @__notes__.setter
    def __notes__(self, notes: list[str]) -> None:
        self.__dict__["_notes"] = notes


class _AgentRefusal(LimitExceeded):
    """A refusal of an agent's account, with the agent and the time of the reset."""

    @property
    def agent_id(self) -> str | None:
        """The agent, None where the account is not an agent's."""
        return self._denial.id

    @property
    def total(self) -> int:
        """The maximum in the window (the same as ``limit``)."""
        return self._denial.limit

    @property
    def resets_in(self) -> float | None:
        """Seconds until the next window, None where none will come."""
        return self._denial.resets_in


class BudgetExceeded(_AgentRefusal):
    """Tokens, calls or cost of an agent or pool (``kind``: "token", "call" or "cost").

    Example:
        >>> from outlay import AgentTokenBudget
        >>> budget = AgentTokenBudget.hourly("a-1", 100)
        >>> try:
        ...     budget.consume("query", 120)
        ... except BudgetExceeded as refused:
        ...     refused.agent_id, refused.kind, refused.requested, refused.remaining
        ('a-1', 'token', 120, 100)

    """


class RequestBudgetExceeded(BudgetExceeded):
    """The request's own cap (`RequestBudget`): a smaller request may fit.

    Example:
        >>> from outlay import RequestBudget, SharedPool
        >>> try:
        ...     SharedPool().reserve(600, RequestBudget.from_tokens(500))
        ... except RequestBudgetExceeded as refused:
        ...     refused.limit
        500

    """

    _error = "request_budget_exceeded"


class ThresholdExceeded(BudgetExceeded):
    """It does not fit above a pool's stop threshold.

    Example:
        >>> from outlay import SharedPool
        >>> pool = SharedPool(capacity_tokens=1_000, stop_threshold_tokens=100)
        >>> try:
        ...     pool.reserve(950)
        ... except ThresholdExceeded as refused:
        ...     refused.remaining
        900

    """

    _error = "threshold_exceeded"


class QuotaExceeded(LimitExceeded):
    """Workflow quotas (``kind``: "workflow_limit" or "step_limit").

    Example:
        >>> from outlay import WorkflowQuota
        >>> workflow = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> try:
        ...     workflow.execute_step(2)
        ... except QuotaExceeded as refused:
        ...     refused.workflow_id, refused.kind, refused.current
        ('w-1', 'step_limit', 0)

    """

    _error = "workflow_quota_exceeded"
    _kind = "workflow_limit"

    @property
    def workflow_id(self) -> str | None:
        """The workflow."""
        return self._denial.id

    @property
    def resets_in(self) -> float | None:
        """Seconds until the next period, None for the steps of a workflow."""
        return self._denial.resets_in

    @property
    def current(self) -> int:
        """What has begun or was executed so far (the same as ``used``)."""
        return self._denial.used


class WorkflowLimitExceeded(QuotaExceeded):
    """No more workflows may begin in this period.

    Example:
        >>> from outlay import ManualClock, WorkflowQuota
        >>> quota = WorkflowQuota.hourly(1, 50, clock=ManualClock())
        >>> token = quota.begin_workflow("w-1")
        >>> try:
        ...     quota.begin_workflow("w-2")
        ... except WorkflowLimitExceeded as refused:
        ...     refused.resets_in
        3600.0

    """


class StepLimitExceeded(QuotaExceeded):
    """The workflow has taken all its steps, or has ended.

    Example:
        >>> from outlay import WorkflowQuota
        >>> workflow = WorkflowQuota.hourly(10, 1).begin_workflow("w-1")
        >>> workflow.execute_step()
        >>> try:
        ...     workflow.execute_step()
        ... except StepLimitExceeded as refused:
        ...     refused.steps_executed, refused.max_steps
        (1, 1)

    """

    _kind = "step_limit"

    @property
    def steps_executed(self) -> int:
        """Steps taken."""
        return self._denial.used

    @property
    def max_steps(self) -> int:
        """Steps it may take."""
        return self._denial.limit


class RateLimitExceeded(LimitExceeded):
    """A window is full; waiting is the cure.

    Example:
        >>> from outlay import ManualClock, RateLimiter
        >>> limiter = RateLimiter(1_000, clock=ManualClock())
        >>> limiter.reserve(900).commit()
        >>> try:
        ...     limiter.reserve(200)
        ... except RateLimitExceeded as refused:
        ...     refused.current, refused.retryable, refused.retry_after > 0
        (900, True, True)

    """

    _error = "rate_limit_exceeded"
    _kind = "rate"

    @property
    def current(self) -> int:
        """What is in the window (the same as ``used``)."""
        return self._denial.used


class AllowanceExceeded(_AgentRefusal):
    """Jobs, concurrency, model allowlist, model or repo quota, cooldown.

    Example:
        >>> from outlay import AgentAllowance, AllowanceService
        >>> service = AllowanceService()
        >>> service.set_allowance(AgentAllowance(agent_id="a-1", concurrent_jobs=1))
        >>> with service.start_job("a-1", "job-1"):
        ...     try:
        ...         service.start_job("a-1", "job-2")
        ...     except AllowanceExceeded as refused:
        ...         refused.limit, refused.remaining
        (1, 0)

    """

    _error = "allowance_exceeded"
    _kind = "job"

    @property
    def current(self) -> int:
        """What is counted so far (the same as ``used``)."""
        return self._denial.used


class NotConfigured(_AgentRefusal, KeyError):
    """No budget or allowance for this id: refused, fail closed.

    Example:
        >>> from outlay import BudgetManager
        >>> try:
        ...     BudgetManager().track_call("nobody")
        ... except NotConfigured as refused:
        ...     refused.message
        'No budget configured for agent nobody'

    """

    _error = "not_configured"
    _kind = "not_configured"


class WaitTimeout(LimitExceeded, TimeoutError):
    """The wait for capacity took longer than its timeout.

    Example:
        >>> from outlay import SharedPool
        >>> pool = SharedPool(capacity_tokens=100)
        >>> lease = pool.reserve(100)
        >>> try:
        ...     pool.reserve_blocking(1, timeout=0)
        ... except WaitTimeout as refused:
        ...     refused.retryable
        True

    """

    _error = "rate_limit_exceeded"
    _kind = "rate"


for _name in __all__:  # a traceback names the place that users import from
    globals()[_name].__module__ = "outlay"
set_exceptions(sys.modules[__name__])
