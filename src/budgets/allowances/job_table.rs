//! The table of running and ended jobs of a service. While its lock is held, no account is locked
//! and no lease ends.

use std::collections::HashMap;
use std::time::Duration;

use super::job::{Job, JobId, day_of, start_of};
use super::reports::JobRef;
use crate::accounting::{Moment, Tick};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// When the UTC day of a moment ends, by the monotonic clock.
fn end_of(now: Moment) -> Tick {
    let left = start_of(day_of(now.wall_ns) + 1).saturating_sub(now.wall_ns);
    now.tick.plus(Duration::from_nanos(left.unsigned_abs()))
}

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
    /// When that day is over by the monotonic clock.
    over_at: Tick,
    today: HashMap<JobId, bool>,
    yesterday: HashMap<JobId, bool>,
}

impl JobTable {
    pub(super) fn new(now: Moment) -> Self {
        let [today, yesterday] = [HashMap::new(), HashMap::new()];
        let (day, over_at) = (day_of(now.wall_ns), end_of(now));
        Self { running: HashMap::new(), day, over_at, today, yesterday }
    }

    /// Forgets jobs that ended before yesterday. That takes a day of the monotonic clock. So a step of
    /// the wall clock, or one wrong reading, forgets nothing.
    fn roll(&mut self, now: Moment) {
        let day = day_of(now.wall_ns);
        if day == self.day || now.tick < self.over_at {
            return;
        }
        let ended = std::mem::take(&mut self.today);
        let is_of_yesterday = now.tick < self.over_at.plus(DAY);
        self.yesterday = if is_of_yesterday { ended } else { HashMap::new() };
        (self.day, self.over_at) = (day, end_of(now));
    }

    /// What is known of a job now.
    pub(super) fn find(&mut self, id: &JobId, now: Moment) -> Option<JobRecord<&Job>> {
        self.roll(now);
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
    pub(super) fn end(&mut self, id: &JobId, now: Moment) -> Option<JobRecord<Job>> {
        if let Some(JobRecord::Ended { counted }) = self.find(id, now) {
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

    /// The start of a day, on another day of the monotonic clock.
    fn at(day: i64, true_day: u32) -> Moment {
        Moment { tick: Tick::from_nanos(0).plus(DAY * true_day), wall_ns: start_of(day) }
    }

    #[test]
    fn an_end_is_remembered_to_the_end_of_the_next_day() {
        let mut table = JobTable::new(at(7, 7));
        assert!(table.end(&id("j"), at(7, 7)).is_none());
        for (day, true_day, known) in [(7, 7, true), (8, 8, true), (6, 8, true), (9, 9, false)] {
            assert_eq!(table.find(&id("j"), at(day, true_day)).is_some(), known, "day {day}");
        }
        assert!(table.end(&id("j"), at(9, 9)).is_none());
        assert!(table.find(&id("j"), at(11, 11)).is_none(), "nobody asked on day 10");
    }

    #[test]
    fn a_wrong_reading_of_the_wall_clock_forgets_no_end_and_is_over_in_a_day() {
        let mut table = JobTable::new(at(7, 7));
        assert!(table.end(&id("j"), at(7, 7)).is_none());
        for day in [4_000, 7, 0, 8] {
            assert!(table.find(&id("j"), at(day, 7)).is_some(), "day {day}");
        }
        // The first reading of the next day is wrong.
        assert!(table.find(&id("j"), at(4_000, 8)).is_some());
        assert!(table.find(&id("j"), at(9, 9)).is_none());
    }

    #[test]
    fn a_late_beginning_is_counted_once() {
        let mut table = JobTable::new(at(0, 0));
        assert!(!table.count(&id("j")), "it has not ended");
        assert!(table.end(&id("j"), at(0, 0)).is_none());
        assert_eq!([table.count(&id("j")), table.count(&id("j"))], [true, false]);
        assert!(matches!(table.end(&id("j"), at(1, 1)), Some(JobRecord::Ended { counted: true })));
    }
}
