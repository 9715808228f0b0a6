//! The allowances of agents, models and repositories: which jobs may begin, and what they may use.

mod accounts;
mod begin;
mod calls;
mod check;
mod finish;
mod job;
mod job_table;
mod kept;
mod limits;
mod models;
mod reports;
mod service;
mod settings;
mod starting;
mod usage;
mod withdraw;

pub(super) use calls::PaidAccount;
pub(super) use models::allows_model;
pub use reports::{JobRef, QuotaEvent, ReportPreview, UsageReport};
pub use service::{AllowanceOptions, AllowanceService};
pub use settings::{
    AgentAllowance, AllowanceStatus, ModelQuota, QuotaCheckResult, RepoAction, RepoLimit,
    UsageRecord,
};
