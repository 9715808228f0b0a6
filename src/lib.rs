#![doc = include_str!("../docs/architecture.md")]

pub mod accounting;
pub mod budgets;
pub mod ledger;
#[cfg(feature = "python")]
mod py;

pub use accounting::{
    CalendarUnit, Cause, Clock, Code, Denied, Invalid, InvalidKind, Key, Kind, Limit, ManualClock,
    Meter, MicroUsd, Price, PriceTable, RateHeaders, Rates, RequestBudget, SystemClock, Terms,
    Unit, Usage, UsageEstimate, Window,
};
pub use budgets::{
    Advice, AgentAllowance, AgentBudget, AgentTokenBudget, Allotment, AllotmentSize,
    AllowanceService, AllowanceStatus, BudgetInfo, BudgetLimit, BudgetManager, EstimateMode,
    Explained, Figures, FullBudgetInfo, Guard, GuardAsk, GuardPolicy, GuardRequest, JobRef,
    ModelQuota, OperationCosts, PoolOptions, QuotaCheckResult, QuotaEvent, RateLimiter,
    RateOptions, Remaining, RepoAction, RepoLimit, ReportPreview, SharedPool, TokenBudgetOptions,
    UsageRecord, UsageReport, WorkflowQuota, WorkflowToken,
};
pub use ledger::{
    Abandoned, Account, Actual, Ask, Carried, Core, Error, Event, EventKind, Grant, Kept, Lease,
    LeaseError, LeaseState, Mailbox, OnError, Policy, Request, Sleeper, StoreError, Unsettled,
    Wait, after_fork_in_child,
};
