"""The accounts of AI agents: budgets checked before a call and settled after it.

Example:
    >>> import outlay
    >>> budget = outlay.AgentTokenBudget.hourly("a-1", 1000)
    >>> budget.consume("query", 950)
    >>> budget.try_consume("query", 100)
    False

"""

import outlay._same  # noqa: F401 (copies of accounts)
from outlay._allowances.job import Job
from outlay._allowances.reports import (
    AllowanceStatus,
    QuotaCheckResult,
    QuotaEvent,
    UsageRecord,
    UsageReport,
)
from outlay._allowances.service import AllowanceService
from outlay._allowances.store import AllowanceStore, MemoryStore
from outlay._allowances.values import AgentAllowance, ModelQuota, RepoLimit
from outlay._calls.last import last_call
from outlay._calls.protocols import Budget, Lease
from outlay._calls.with_block import end_block as _end_block  # noqa: F401 (how blocks end that raise)
from outlay._cli.doctor import doctor
from outlay._core import (
    AgentBudget,
    AgentTokenBudget,
    Allotment,
    BoundGuard,
    BudgetInfo,
    BudgetLease,
    BudgetLimit,
    BudgetManager,
    Denial,
    FullBudgetInfo,
    Guard,
    ManualClock,
    PriceTable,
    RateLimiter,
    Remaining,
    RequestBudget,
    SharedPool,
    Store,
    SystemClock,
    Usage,
    UsageEstimate,
    WorkflowQuota,
    WorkflowToken,
    __version__,
    usd,
)
from outlay._dict_form import DictForm as _DictForm  # noqa: F401 (methods of the value classes)
from outlay._errors import (
    AllowanceExceeded,
    BudgetExceeded,
    ForkedLedger,
    Indeterminate,
    InvalidAmount,
    InvalidId,
    LeaseError,
    LeaseExpired,
    LeaseFinalized,
    LimitExceeded,
    NotConfigured,
    OutlayError,
    PolicyError,
    QuotaExceeded,
    RateLimitExceeded,
    RequestBudgetExceeded,
    StepLimitExceeded,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    ThresholdExceeded,
    UnknownLease,
    WaitTimeout,
    WorkflowLimitExceeded,
)
from outlay._governed.decorator import governed
from outlay._guard.in_scope import in_scope
from outlay._guard.methods import reserve_wait as _reserve_wait  # noqa: F401 (the methods of guards)
from outlay._process import watch_process as _watch_process
from outlay._schema import LLM_MESSAGE_SCHEMA, POLICY_SCHEMA
from outlay._stores.methods import open_store as _open_store  # noqa: F401 (the methods of stores)
from outlay._usage.calibration import EstimateReport, estimates
from outlay._usage.responses import usage_from_response as _from_response  # noqa: F401 (a method of Usage)
from outlay._waiting.methods import acquire_slot as _acquire_slot  # noqa: F401 (the methods that wait)

_watch_process()

__all__ = [
    "LLM_MESSAGE_SCHEMA",
    "POLICY_SCHEMA",
    "AgentAllowance",
    "AgentBudget",
    "AgentTokenBudget",
    "Allotment",
    "AllowanceExceeded",
    "AllowanceService",
    "AllowanceStatus",
    "AllowanceStore",
    "BoundGuard",
    "Budget",
    "BudgetExceeded",
    "BudgetInfo",
    "BudgetLease",
    "BudgetLimit",
    "BudgetManager",
    "Denial",
    "EstimateReport",
    "ForkedLedger",
    "FullBudgetInfo",
    "Guard",
    "Indeterminate",
    "InvalidAmount",
    "InvalidId",
    "Job",
    "Lease",
    "LeaseError",
    "LeaseExpired",
    "LeaseFinalized",
    "LimitExceeded",
    "ManualClock",
    "MemoryStore",
    "ModelQuota",
    "NotConfigured",
    "OutlayError",
    "PolicyError",
    "PriceTable",
    "QuotaCheckResult",
    "QuotaEvent",
    "QuotaExceeded",
    "RateLimitExceeded",
    "RateLimiter",
    "Remaining",
    "RepoLimit",
    "RequestBudget",
    "RequestBudgetExceeded",
    "SharedPool",
    "StepLimitExceeded",
    "Store",
    "StoreCorrupt",
    "StoreError",
    "StoreUnavailable",
    "SystemClock",
    "ThresholdExceeded",
    "UnknownLease",
    "Usage",
    "UsageEstimate",
    "UsageRecord",
    "UsageReport",
    "WaitTimeout",
    "WorkflowLimitExceeded",
    "WorkflowQuota",
    "WorkflowToken",
    "__version__",
    "doctor",
    "estimates",
    "governed",
    "in_scope",
    "last_call",
    "usd",
]
