//! The table of running and ended jobs of a service. While its lock is held, no account is locked
//! and no lease ends.

use std::collections::HashMap;

use super::job::{Job, JobId};
use super::reports::JobRef;
use crate::accounting::Tick;

/// What is known of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobRecord<J> {
    /// It runs.
    Runs(J),
    /// It has ended. `counted`: whether its beginning was counted.
    Ended { counted: bool },
}

/// The jobs of a service.
#[derive(Debug)]
pub(super) struct JobTable {
    running: HashMap<JobId, Job>,
    /// The last day on which the table was used, the jobs that ended on it, and those that ended on
    /// the day before.
    day: i64,
    today: HashMap<JobId, bool>,
    yesterday: HashMap<JobId, bool>,
}

impl JobTable {
    pub(super) fn new(day: i64) -> Self {
        let [today, yesterday] = [HashMap::new(), HashMap::new()];
        Self { running: HashMap::new(), day, today, yesterday }
    }

    /// Forgets jobs that ended before yesterday. A step backwards forgets nothing.
    fn roll(&mut self, day: i64) {
        if day <= self.day {
            return;
        }
        let ended = std::mem::take(&mut self.today);
        self.yesterday = if day == self.day + 1 { ended } else { HashMap::new() };
        self.day = day;
    }

    /// What is known of a job on that day.
    pub(super) fn find(&mut self, id: &JobId, day: i64) -> Option<JobRecord<&Job>> {
        self.roll(day);
        if let Some(job) = self.running.get(id) {
            return Some(JobRecord::Runs(job));
        }
        let ended = self.today.get(id).or_else(|| self.yesterday.get(id));
        ended.map(|&counted| JobRecord::Ended { counted })
    }

    /// Adds an unknown job that has begun.
    pub(super) fn begin(&mut self, id: JobId, job: Job) {
        let before = self.running.insert(id, job);
        debug_assert!(before.is_none(), "a job began twice");
    }

    /// Notes that a job has ended. Returns what was known of it, with the job itself if it was
    /// running.
    pub(super) fn end(&mut self, id: &JobId, day: i64) -> Option<JobRecord<Job>> {
        if let Some(JobRecord::Ended { counted }) = self.find(id, day) {
            return Some(JobRecord::Ended { counted });
        }
        let job = self.running.remove(id);
        self.today.insert(id.clone(), job.is_some());
        job.map(JobRecord::Runs)
    }

    /// Forgets a job that has not begun after all. Returns it if it was running.
    pub(super) fn forget(&mut self, id: &JobId) -> Option<Job> {
        self.running.remove(id)
    }

    /// Counts the beginning of a job that has ended. Returns true once.
    pub(super) fn count(&mut self, id: &JobId) -> bool {
        let ended = self.today.get_mut(id).or_else(|| self.yesterday.get_mut(id));
        ended.is_some_and(|counted| !std::mem::replace(counted, true))
    }

    /// The jobs that have run for too long, longest overdue first.
    pub(super) fn overdue(&self, now: Tick) -> Vec<JobRef> {
        let late = |job: &Job| job.due.is_some_and(|(due, _)| due <= now);
        let jobs = self.running.iter().filter(|(_, job)| late(job));
        let mut jobs: Vec<_> = jobs.map(|(id, job)| (job.due, job.named(id))).collect();
        jobs.sort();
        jobs.into_iter().map(|(_, job)| job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::Key;

    fn id(job: &str) -> JobId {
        let key = |text| Key::parse("id", text).unwrap();
        JobId { agent: key("a"), job: key(job) }
    }

    #[test]
    fn an_end_is_remembered_to_the_end_of_the_next_day() {
        let mut table = JobTable::new(7);
        assert!(table.end(&id("j"), 7).is_none());
        for (day, known) in [(7, true), (8, true), (6, true), (9, false)] {
            assert_eq!(table.find(&id("j"), day).is_some(), known, "day {day}");
        }
        assert!(table.end(&id("j"), 9).is_none());
        assert!(table.find(&id("j"), 11).is_none(), "nobody asked on day 10");
    }

    #[test]
    fn a_late_beginning_is_counted_once() {
        let mut table = JobTable::new(0);
        assert!(!table.count(&id("j")), "it has not ended");
        assert!(table.end(&id("j"), 0).is_none());
        assert_eq!([table.count(&id("j")), table.count(&id("j"))], [true, false]);
        assert!(matches!(table.end(&id("j"), 1), Some(JobRecord::Ended { counted: true })));
    }
}
