//! The budget classes of Python. Each has a file or folder with the name of its counterpart in the
//! core.

mod allowances;
mod budget_info;
mod budget_manager;
mod guard;
mod on_warning;
mod operation_cache;
mod rate_limiter;
mod shared_pool;
mod token_budget;
mod workflow_quota;

pub(super) use allowances::PyAllowanceLedger;
pub(super) use budget_info::{PyBudgetInfo, PyBudgetLimit, PyFullBudgetInfo};
pub(super) use budget_manager::{PyAgentBudget, PyBudgetManager};
pub(super) use guard::{
    CallLabels, GivenLabels, PyAllotment, PyBoundGuard, PyGuard, policy_tables, scope_begins,
    set_labels_var, set_price_resolver,
};
pub(super) use operation_cache::name_of;
pub(super) use rate_limiter::PyRateLimiter;
pub(super) use shared_pool::PySharedPool;
pub(super) use token_budget::PyAgentTokenBudget;
pub(super) use workflow_quota::{PyWorkflowQuota, PyWorkflowToken};
