//! The faces: one file per main class. They turn what users ask into demands on meters and never
//! decide themselves.

pub mod budget_manager;
pub mod operation_costs;
pub mod persist;
pub mod rate_limiter;
mod replacement;
pub mod shared_pool;
pub mod token_budget;
pub mod workflow_quota;

pub use budget_manager::{AgentBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo};
pub use operation_costs::OperationCosts;
pub use rate_limiter::{RateLimiter, RateOptions};
pub use shared_pool::{PoolOptions, Remaining, SharedPool};
pub use token_budget::{AgentTokenBudget, TokenBudgetOptions};
pub use workflow_quota::{WorkflowQuota, WorkflowToken};
