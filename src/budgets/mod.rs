//! The budget classes, one room each. They turn requests of users into demands on meters and never
//! decide themselves.

mod allowances;
mod budget_manager;
mod facts;
mod guard;

mod persist;
mod policy;
mod rate_limiter;
mod shared_pool;
mod stored;
mod token_budget;
mod workflow_quota;

pub use allowances::{
    AgentAllowance, AllowanceOptions, AllowanceService, AllowanceStatus, JobRef, ModelQuota,
    QuotaCheckResult, QuotaEvent, RepoAction, RepoLimit, ReportPreview, UsageRecord, UsageReport,
};
pub use budget_manager::{
    AgentBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo, ManagerOptions,
};
pub use guard::{
    Advice, Allotment, AllotmentSize, Explained, Figures, Guard, GuardAsk, GuardOptions,
    GuardRequest, Known, Resolver, Warner,
};
#[cfg(feature = "python")]
pub(crate) use policy::unit_word;
pub use policy::{
    Defaults, EntryPlace, EstimateMode, GuardPolicy, Labels, Mode, Pattern, Rule, RuleKind,
    RuleLimit, Scope, Span, StorePolicy, UnknownPrice,
};
pub use rate_limiter::{RateLimiter, RateOptions};
pub use shared_pool::{PoolOptions, Remaining, SharedPool};
pub use token_budget::{AgentTokenBudget, OperationCosts, TokenBudgetOptions};
pub use workflow_quota::{WorkflowOptions, WorkflowQuota, WorkflowToken};
