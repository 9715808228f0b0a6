#![doc = include_str!("../docs/architecture.md")]

pub mod accounting;
pub mod budgets;
pub mod ledger;
#[cfg(feature = "python")]
mod py;

pub use accounting::{
    CalendarUnit, Clock, Code, Denied, Invalid, InvalidKind, Key, Kind, Limit, ManualClock, Meter,
    MicroUsd, Price, PriceTable, RequestBudget, SystemClock, Unit, Usage, UsageEstimate, Window,
};
pub use budgets::{
    AgentBudget, AgentTokenBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo,
    OperationCosts, PoolOptions, Remaining, SharedPool, TokenBudgetOptions, WorkflowQuota,
    WorkflowToken,
};
pub use ledger::{
    Abandoned, Account, Actual, Ask, Core, Error, Event, EventKind, Lease, LeaseError, LeaseState,
    OnError, Policy, Request, StoreError, Unsettled, after_fork_in_child,
};
