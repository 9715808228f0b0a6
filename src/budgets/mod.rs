//! The faces: one file per main class. They turn what users ask into demands on meters and never
//! decide themselves.

pub mod allowance;
mod allowance_accounts;
mod allowance_checks;
mod allowance_ends;
mod allowance_job;
mod allowance_jobs;
pub mod allowance_report;
mod allowance_requests;
mod allowance_starts;
mod allowance_usage;
mod allowance_withdrawal;
pub mod allowances;
pub mod budget_manager;
pub mod guard;
pub mod operation_costs;
pub mod persist;
pub mod policy;
pub mod rate_limiter;
mod replacement;
pub mod shared_pool;
pub mod token_budget;
pub mod workflow_quota;

pub use allowance::{
    AgentAllowance, AllowanceStatus, ModelQuota, QuotaCheckResult, RepoAction, RepoLimit,
    UsageRecord,
};
pub use allowance_report::{JobRef, QuotaEvent, ReportPreview, UsageReport};
pub use allowances::AllowanceService;
pub use budget_manager::{AgentBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo};
pub use guard::{
    Advice, Allotment, Explained, Figures, Guard, GuardAsk, GuardRequest, Known, PartOf,
};
pub use operation_costs::OperationCosts;
pub use policy::{EstimateMode, GuardPolicy};
pub use rate_limiter::{RateLimiter, RateOptions};
pub use shared_pool::{PoolOptions, Remaining, SharedPool};
pub use token_budget::{AgentTokenBudget, TokenBudgetOptions};
pub use workflow_quota::{WorkflowQuota, WorkflowToken};
