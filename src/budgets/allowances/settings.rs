//! Settings of agents, models and repositories, and the reports of their use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one agent may do. 0 and an empty list are no limit; days are UTC.
///
/// ```
/// use outlay::AgentAllowance;
/// let allowance = AgentAllowance {
///     agent_id: "a-1".into(), daily_job_limit: 10, ..AgentAllowance::default()
/// };
/// assert_eq!(allowance.daily_token_limit, 0); // unlimited
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentAllowance {
    /// The agent.
    pub agent_id: String,
    /// Tokens in a day.
    pub daily_token_limit: u64,
    /// Jobs begun in a day.
    pub daily_job_limit: u64,
    /// Jobs that run at the same time.
    pub concurrent_jobs: u64,
    /// After this time the slot of a job is free, whether or not it has ended. At most 100 years.
    pub max_job_duration: Duration,
    /// The models that the agent's jobs may use.
    pub model_allowlist: Vec<String>,
}

/// What all agents together may use of one model. 0 is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelQuota {
    /// The model.
    pub model: String,
    /// Tokens in a UTC day.
    pub daily_token_budget: u64,
    /// Jobs begun in any hour.
    pub hourly_rate_limit: u64,
    /// Micro-USD for ever. Jobs begin only while less is spent.
    pub cost_ceiling_micros_usd: u64,
}

/// What all agents together may do in one repository. 0 is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoLimit {
    /// The repository.
    pub repo: String,
    /// Pull requests in a UTC day.
    pub max_daily_prs: u64,
    /// Issues in a UTC day.
    pub max_daily_issues: u64,
    /// The cooldown of the repository after a failed job. At most 100 years.
    pub cooldown_after_failure: Duration,
}

/// What is counted of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoAction {
    /// A pull request is opened.
    PullRequest,
    /// An issue is opened.
    Issue,
}

impl RepoAction {
    /// The action called "pr" or "issue".
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "pr" => Some(Self::PullRequest),
            "issue" => Some(Self::Issue),
            _ => None,
        }
    }
}

/// How much of a limit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllowanceStatus {
    /// There is room.
    Ok,
    /// 80 % of a limit are used or held.
    Warning,
    /// The next job is refused.
    Exceeded,
}

impl AllowanceStatus {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Exceeded => "exceeded",
        }
    }
}

/// The result of a check. It is advice: other requests may be faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaCheckResult {
    /// Whether one more request would pass.
    pub allowed: bool,
    /// How far the limits are used.
    pub status: AllowanceStatus,
    /// What is left of the tokens of the agent, or of the action of the repository. `None` for no
    /// limit.
    pub remaining_tokens: Option<u64>,
    /// What is left of the jobs of the agent. `None` for no limit.
    pub remaining_jobs: Option<u64>,
    /// The reason of a refusal, empty if it is allowed.
    pub reason: String,
}

/// What an agent has used in the present UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// The agent.
    pub agent_id: String,
    /// Tokens charged. The holds of running jobs are not included.
    pub tokens_used: u64,
    /// Jobs begun.
    pub jobs_started: u64,
    /// Jobs that run.
    pub active_jobs: u64,
    /// When the day began, in nanoseconds since 1970 UTC.
    pub period_start_ns: i64,
}
