#![doc = include_str!("../docs/architecture.md")]

mod accounting;
mod budgets;
mod ledger;
#[cfg(feature = "python")]
mod py;
#[doc(hidden)]
pub mod seeded;
pub mod store;

pub use accounting::{
    Audience, Billing, Calendar, CalendarUnit, CallPrice, Cause, Changes, Clock, Code, CostSource,
    Counts, Denied, Era, Expired, Fit, Follower, Hold, Invalid, InvalidKind, Key, Kind, Limit,
    MESSAGE_BYTES_MAX, ManualClock, Meter, MicroUsd, Moment, NextShare, Open, Others, PastEra,
    Price, PriceTable, ProviderLimit, RateHeaders, Rates, ReportedLimit, ReportedUnit,
    RequestBudget, Ring, Rolled, Share, ShareKind, Show, Subject, SystemClock, TellUnpriced, Terms,
    Tick, Unit, Usage, UsageEstimate, Window,
};
pub use budgets::{
    Advice, AgentAllowance, AgentBudget, AgentTokenBudget, Allotment, AllotmentSize,
    AllowanceOptions, AllowanceService, AllowanceStatus, BudgetInfo, BudgetLimit, BudgetManager,
    Defaults, EntryPlace, EstimateMode, Explained, Figures, FullBudgetInfo, Guard, GuardAsk,
    GuardOptions, GuardPolicy, GuardRequest, JobRef, Known, Labels, ManagerOptions, Mode,
    ModelQuota, OperationCosts, Pattern, PoolOptions, QuotaCheckResult, QuotaEvent, RateLimiter,
    RateOptions, Remaining, RepoAction, RepoLimit, ReportPreview, Resolver, Rule, RuleKind,
    RuleLimit, Scope, SharedPool, Span, StorePolicy, TokenBudgetOptions, UnknownPrice, UsageRecord,
    UsageReport, Warner, WorkflowOptions, WorkflowQuota, WorkflowToken,
};
pub use ledger::{
    Abandoned, Account, Actual, Ask, AskPart, AskPlace, Carried, Core, Decided, Decides, Demand,
    Demands, Error, Event, EventFigures, EventKind, EventLabels, EventRule, Grant, HostSleep, Kept,
    Lack, Lease, LeaseError, LeaseState, Mailbox, MeterIndex, OnError, Policy, Request, Sleeper,
    StoreError, Supply, SupplyMember, Unsettled, Wait, after_fork_in_child, charge, check, reserve,
    reserve_blocking, reserve_one, set_host_sleep, without_store,
};
pub use store::fork::{after_fork_in_parent, before_fork};
