//! What a store keeps of a job, a setting and a cooldown, and for how long.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::accounting::nanos;
use crate::budgets::allowances::job::{JobId, day_of, start_of};
use crate::budgets::allowances::reports::JobRef;
use crate::budgets::allowances::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::budgets::facts::{FactGroup, FactValue};

pub(super) const JOBS: FactGroup<'static> = FactGroup { kind: "job", owner: "" };
pub(super) const ALLOWANCES: FactGroup<'static> = FactGroup { kind: "allowance", owner: "" };
pub(super) const QUOTAS: FactGroup<'static> = FactGroup { kind: "model quota", owner: "" };
pub(super) const REPOS: FactGroup<'static> = FactGroup { kind: "repo limit", owner: "" };
pub(super) const COOLDOWNS: FactGroup<'static> = FactGroup { kind: "cooldown", owner: "" };

/// For how long a job is kept that has run for too long and whose end nobody reports: 30 days.
pub(super) const LATE: u64 = 30 * 24 * 3_600 * 1_000_000;

/// How far a job is. One that has ended after its beginning is no more: its fact was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JobStage {
    Runs,
    /// It has run for too long: its slot is free.
    Late,
    /// Its end was reported, and its beginning not yet.
    EndedFirst,
}

/// A job, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::budgets::allowances) struct KeptJob {
    pub(super) agent: String,
    pub(super) job: String,
    pub(super) model: Option<String>,
    /// The model as it is counted.
    pub(super) counted: Option<String>,
    pub(super) repo: Option<String>,
    /// What it holds.
    pub(super) tokens: u64,
    /// The UTC day on which it began.
    pub(super) day: i64,
    /// When it has run for too long: nanoseconds since 1970 UTC.
    pub(super) due_ns: Option<i64>,
    pub(super) stage: JobStage,
}

/// Until when a repository cools down, in nanoseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cooldown {
    pub(super) repo: String,
    pub(super) until_ns: i64,
}

/// The name of a job: ids have no control characters.
pub(super) fn name_of(id: &JobId) -> String {
    format!("{}\n{}", id.agent.as_str(), id.job.as_str())
}

impl KeptJob {
    pub(super) fn runs(&self) -> bool {
        self.stage == JobStage::Runs
    }

    pub(super) fn is_due(&self, wall_ns: i64) -> bool {
        self.due_ns.is_some_and(|due| due <= wall_ns) && self.stage != JobStage::EndedFirst
    }

    pub(super) fn named(&self) -> JobRef {
        JobRef {
            deadline_ns: self.due_ns,
            agent_id: self.agent.clone(),
            job_id: self.job.clone(),
            model: self.model.clone().unwrap_or_default(),
            repo: self.repo.clone(),
        }
    }
}

impl FactValue for KeptJob {
    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}\n{}", self.agent, self.job))
    }
}

impl FactValue for Cooldown {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.repo)
    }
}

impl FactValue for AgentAllowance {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.agent_id)
    }
}

impl FactValue for ModelQuota {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.model)
    }
}

impl FactValue for RepoLimit {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.repo)
    }
}

/// How long it is until the end of the UTC day after that moment, in microseconds: so long an end is
/// remembered.
pub(super) fn to_end_of_next_day(wall_ns: i64) -> u64 {
    let left = start_of(day_of(wall_ns) + 2).saturating_sub(wall_ns);
    u64::try_from(left).unwrap_or(0) / 1_000
}

pub(super) fn micros(duration: Duration) -> u64 {
    nanos(duration) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_kept_to_the_end_of_the_next_day() {
        const HOUR: i64 = 3_600_000_000_000;
        let hours = |micros: u64| micros / 3_600_000_000;
        assert_eq!(hours(to_end_of_next_day(0)), 48);
        assert_eq!(hours(to_end_of_next_day(23 * HOUR)), 25);
        assert_eq!(hours(to_end_of_next_day(24 * HOUR)), 48);
    }
}
