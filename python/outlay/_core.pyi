"""The native core of outlay: clocks, amounts, leases, budgets, limiters, waits, allowances and prices.

Everything here that has no underscore and is listed in `outlay.__all__` is public and is imported from
`outlay`. The rules that hold for all of it:

- An identifier is a `str` (or a `uuid.UUID`, which becomes its text) of 1 to 1,024 bytes of UTF-8, whatever
  the characters. Empty text, longer text and lone surrogates raise `InvalidId`.
- An amount of tokens, calls, steps or micro-USD is a whole number from 0 to 2**64 - 1: an `int`, or what
  counts as one (a numpy integer). A bool, a float, a negative number raise `InvalidAmount`.
- A period or a time to live is seconds (`int` or `float`) or a `datetime.timedelta`, more than 0 and at most
  100 years, else `PolicyError`. Reported durations are seconds as `float`.
- A refusal is an exception of the family `LimitExceeded`. It changes nothing and it costs nothing.
- A request passes if `used + reserved + amount <= limit`: a budget that is used up exactly is full, not over.
  A budget in debt (more was committed than reserved) refuses everything, even an amount of 0.
- Everything may be used from many threads. Value classes are frozen, compare by value and pickle. Accounts
  (budgets, pools, quotas, managers, limiters, guards, leases, tokens) can not be pickled (`TypeError`): what
  is unpickled would have a limit of its own. Those that have a store are pickled as what made them. `copy`
  and `deepcopy` give the account itself. In a forked child, the accounts of the parent raise `ForkedLedger`,
  unless they have a store.
"""

from typing import Final

from outlay._stubs.agent_token_budget import AgentTokenBudget
from outlay._stubs.allowance_ledger import AllowanceLedger
from outlay._stubs.amounts import Usage, UsageEstimate
from outlay._stubs.budget_info import BudgetInfo, BudgetLimit, FullBudgetInfo
from outlay._stubs.budget_manager import AgentBudget, BudgetManager
from outlay._stubs.caps import Remaining, RequestBudget
from outlay._stubs.clocks import ManualClock, SystemClock
from outlay._stubs.denial import Denial
from outlay._stubs.guard.allotment import Allotment
from outlay._stubs.guard.bound_guard import BoundGuard
from outlay._stubs.guard.guard import Guard
from outlay._stubs.leases import BudgetLease, Mailbox, Wait
from outlay._stubs.package import (
    EmptyMethods,
    StepCharge,
    account_id,
    after_fork_in_child,
    after_fork_in_parent,
    at_exit,
    attached_doc,
    before_fork,
    charge_together,
    check_amount,
    check_id,
    check_period,
    cost_capped,
    policy_tables,
    record_together,
    reserve_together,
    restore_denial,
    scope_begins,
    set_end_block,
    set_exceptions,
    set_labels_var,
    set_price_resolver,
    wait_together,
)
from outlay._stubs.prices import PriceTable, model_names, usd
from outlay._stubs.rate_limiter import RateLimiter
from outlay._stubs.shared_pool import SharedPool
from outlay._stubs.stores.store import Store, create_store, inspect_store
from outlay._stubs.workflow_quota import WorkflowQuota, WorkflowToken

__all__ = [
    "AgentBudget",
    "AgentTokenBudget",
    "Allotment",
    "AllowanceLedger",
    "BoundGuard",
    "BudgetInfo",
    "BudgetLease",
    "BudgetLimit",
    "BudgetManager",
    "Denial",
    "EmptyMethods",
    "FullBudgetInfo",
    "Guard",
    "Mailbox",
    "ManualClock",
    "PriceTable",
    "RateLimiter",
    "Remaining",
    "RequestBudget",
    "SharedPool",
    "StepCharge",
    "Store",
    "SystemClock",
    "Usage",
    "UsageEstimate",
    "Wait",
    "WorkflowQuota",
    "WorkflowToken",
    "__version__",
    "account_id",
    "after_fork_in_child",
    "after_fork_in_parent",
    "at_exit",
    "attached_doc",
    "before_fork",
    "charge_together",
    "check_amount",
    "check_id",
    "check_period",
    "cost_capped",
    "create_store",
    "inspect_store",
    "model_names",
    "policy_tables",
    "record_together",
    "reserve_together",
    "restore_denial",
    "scope_begins",
    "set_end_block",
    "set_exceptions",
    "set_labels_var",
    "set_price_resolver",
    "usd",
    "wait_together",
]

__version__: Final[str]
