#![doc = include_str!("../docs/architecture.md")]

pub mod accounting;
pub mod budgets;
pub mod ledger;
#[cfg(feature = "python")]
mod py;

pub use accounting::{
    CalendarUnit, Clock, Code, Denied, Invalid, InvalidKind, Key, Kind, Limit, ManualClock, Meter,
    MicroUsd, Price, PriceTable, RateHeaders, RequestBudget, SystemClock, Terms, Unit, Usage,
    UsageEstimate, Window,
};
pub use budgets::{
    AgentAllowance, AgentBudget, AgentTokenBudget, AllowanceService, AllowanceStatus, BudgetInfo,
    BudgetLimit, BudgetManager, FullBudgetInfo, JobRef, ModelQuota, OperationCosts, PoolOptions,
    QuotaCheckResult, QuotaEvent, RateLimiter, RateOptions, Remaining, RepoAction, RepoLimit,
    ReportPreview, SharedPool, TokenBudgetOptions, UsageRecord, UsageReport, WorkflowQuota,
    WorkflowToken,
};
pub use ledger::{
    Abandoned, Account, Actual, Ask, Core, Error, Event, EventKind, Grant, Lease, LeaseError,
    LeaseState, Mailbox, OnError, Policy, Request, Sleeper, StoreError, Unsettled, Wait,
    after_fork_in_child,
};
