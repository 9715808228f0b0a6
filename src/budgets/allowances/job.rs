//! One job: its agent, its lease and its deadline; and the UTC days in which jobs are counted.

use std::time::Duration;

use super::reports::JobRef;
use crate::accounting::{Invalid, Key, Moment, Tick};
use crate::ledger::Lease;

const DAY_NS: i64 = 24 * 3600 * 1_000_000_000;

/// The number of the UTC day of a wall time.
pub(super) const fn day_of(wall_ns: i64) -> i64 {
    wall_ns.div_euclid(DAY_NS)
}

/// When that day began, in nanoseconds since 1970 UTC.
pub(super) const fn start_of(day: i64) -> i64 {
    day.saturating_mul(DAY_NS)
}

/// A job by its agent and its own id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct JobId {
    pub(super) agent: Key,
    pub(super) job: Key,
}

impl JobId {
    pub(super) fn parse(agent_id: &str, job_id: &str) -> Result<Self, Invalid> {
        Ok(Self { agent: Key::parse("agent_id", agent_id)?, job: Key::parse("job_id", job_id)? })
    }
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) lease: Lease,
    pub(super) model: Option<Key>,
    /// The model as it is counted.
    pub(super) counted: Option<Key>,
    pub(super) repo: Option<Key>,
    /// When it has run for too long, by the monotonic clock and by the wall clock.
    pub(super) due: Option<(Tick, i64)>,
}

impl Job {
    /// A job that began `now`.
    pub(super) fn new(
        lease: Lease,
        [model, counted, repo]: [Option<Key>; 3],
        longest: Option<Duration>,
        now: Moment,
    ) -> Self {
        let due = longest.map(|longest| {
            let nanos = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
            (now.tick.plus(longest), now.wall_ns.saturating_add(nanos))
        });
        Self { lease, model, counted, repo, due }
    }

    pub(super) fn estimate(&self) -> u64 {
        self.lease.estimate().total_tokens
    }

    pub(super) fn named(&self, id: &JobId) -> JobRef {
        JobRef {
            deadline_ns: self.due.map(|(_, wall_ns)| wall_ns),
            agent_id: id.agent.as_str().to_owned(),
            job_id: id.job.as_str().to_owned(),
            model: self.model.as_ref().map_or("", Key::as_str).to_owned(),
            repo: self.repo.as_ref().map(|repo| repo.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_1970_are_whole_too() {
        assert_eq!([day_of(-1), day_of(0), day_of(DAY_NS - 1), day_of(DAY_NS)], [-1, 0, 0, 1]);
        assert_eq!(start_of(day_of(-1)), -DAY_NS);
    }
}
