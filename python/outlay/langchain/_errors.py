"""Refusals that LangChain does not retry: each is the class of outlay and LangChain's own error in one.

LangChain's retries look at `ModelError.is_retryable` and would try any other exception again. The classes
stand in this module under their own names, so that they pickle.
"""

from __future__ import annotations

import outlay._errors as _outlay

try:
    from langchain_core.exceptions import ModelError
except ImportError:  # LangChain before it classified errors: nothing there to recognise
    ModelError = Exception  # type: ignore[misc,assignment]


class LimitExceeded(_outlay.LimitExceeded, ModelError):  # noqa: N818 - the name of outlay's class
    """A refusal by a wrapped model; see `outlay.LimitExceeded`."""

    @property
    def is_retryable(self) -> bool:  # type: ignore[override]
        """Whether waiting is the cure, as the refusal itself says."""
        return bool(self.retryable)


class BudgetExceeded(_outlay.BudgetExceeded, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.BudgetExceeded`."""


class RequestBudgetExceeded(_outlay.RequestBudgetExceeded, BudgetExceeded):
    """A refusal by a wrapped model; see `outlay.RequestBudgetExceeded`."""


class ThresholdExceeded(_outlay.ThresholdExceeded, BudgetExceeded):
    """A refusal by a wrapped model; see `outlay.ThresholdExceeded`."""


class QuotaExceeded(_outlay.QuotaExceeded, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.QuotaExceeded`."""


class WorkflowLimitExceeded(_outlay.WorkflowLimitExceeded, QuotaExceeded):
    """A refusal by a wrapped model; see `outlay.WorkflowLimitExceeded`."""


class StepLimitExceeded(_outlay.StepLimitExceeded, QuotaExceeded):
    """A refusal by a wrapped model; see `outlay.StepLimitExceeded`."""


class RateLimitExceeded(_outlay.RateLimitExceeded, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.RateLimitExceeded`."""


class AllowanceExceeded(_outlay.AllowanceExceeded, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.AllowanceExceeded`."""


class NotConfigured(_outlay.NotConfigured, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.NotConfigured`."""


class WaitTimeout(_outlay.WaitTimeout, LimitExceeded):
    """A refusal by a wrapped model; see `outlay.WaitTimeout`."""


_BY_PLAIN: dict[type, type[LimitExceeded]] = {
    _outlay.LimitExceeded: LimitExceeded,
    _outlay.BudgetExceeded: BudgetExceeded,
    _outlay.RequestBudgetExceeded: RequestBudgetExceeded,
    _outlay.ThresholdExceeded: ThresholdExceeded,
    _outlay.QuotaExceeded: QuotaExceeded,
    _outlay.WorkflowLimitExceeded: WorkflowLimitExceeded,
    _outlay.StepLimitExceeded: StepLimitExceeded,
    _outlay.RateLimitExceeded: RateLimitExceeded,
    _outlay.AllowanceExceeded: AllowanceExceeded,
    _outlay.NotConfigured: NotConfigured,
    _outlay.WaitTimeout: WaitTimeout,
}


def as_model_error(refusal: _outlay.LimitExceeded) -> _outlay.LimitExceeded:
    """Return the refusal as an error that LangChain knows; a user's own subclass stays as it is."""
    known = _BY_PLAIN.get(type(refusal))
    if known is None:
        return refusal
    error = known(*refusal.args)
    error.__dict__.update(refusal.__dict__)
    return error.with_traceback(refusal.__traceback__)
