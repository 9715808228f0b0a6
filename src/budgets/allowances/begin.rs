//! Begins jobs: in one step over the accounts of the agent, the model and the repository.

use super::accounts::JOBS;
use super::job::{Job, JobId};
use super::reports::{JobRef, UsageReport};
use super::service::AllowanceService;
use super::starting::Start;
use crate::accounting::{Moment, Terms, Usage};
use crate::ledger::{Ask, Demand, Error, Lease, Request, reserve_and};

impl AllowanceService {
    /// Begins a job, or refuses and changes nothing. It holds its tokens and its slot until its end
    /// is [recorded](Self::record), or for the maximum duration of the agent's jobs. An empty
    /// `model` means none. An id that runs, or has ended today or yesterday, is a conflict.
    pub fn start_job(
        &self,
        agent_id: &str,
        job_id: &str,
        model: &str,
        repo: Option<&str>,
        estimated_tokens: u64,
    ) -> Result<JobRef, Error> {
        let start = self.start(agent_id, model, repo, estimated_tokens)?;
        let id = JobId::parse(agent_id, job_id)?;
        self.core.same_process()?;
        self.hear_allowance(&start.agent, false)?;
        let begun = self.allows(&start).and_then(|()| {
            self.keep(&start)?;
            match &self.store {
                Some(store) => self.start_kept(store, &start, &id),
                None => {
                    let asks = self.asks(&start, Terms::Gated);
                    self.with_repo(&start, asks, |asks| self.begin(&start, &id, asks))
                }
            }
        });
        begun.map_err(|error| start.refused(error, &id))?.ok_or_else(|| {
            Error::Conflict(format!(
                "job_id {job_id:?} of agent {agent_id:?} runs or has ended: a job begins once"
            ))
        })
    }

    /// Records that a job has begun, whatever the limits say. Returns false if that was known.
    pub(super) fn record_start(&self, report: &UsageReport) -> Result<bool, Error> {
        let (start, id) = self.start_of(report)?;
        self.core.same_process()?;
        self.keep(&start)?;
        if let Some(store) = &self.store {
            return self.record_kept_start(store, &start, &id);
        }
        if self.begin(&start, &id, &self.asks(&start, Terms::Recorded))?.is_some() {
            return Ok(true);
        }
        // Its end was reported first. Then it only counts as one more job of the day.
        let late = self.jobs.lock().count(&id);
        if late {
            self.agents.account(&id.agent)?.record(&[Demand::new(JOBS, 1)])?;
        }
        Ok(late)
    }

    /// Begins a job, unless its id is known.
    fn begin(&self, start: &Start, id: &JobId, asks: &[Ask]) -> Result<Option<JobRef>, Error> {
        let longest = self.longest(&start.agent);
        let request = Request { ttl: longest, ..Usage::tokens(start.tokens).into() };
        let now = self.now();
        let known = || self.jobs.lock().find(id, now).map(|_| None);
        let begin = |lease: Lease, now: Moment| {
            let names = [&start.model, &start.counted, &start.repo].map(Clone::clone);
            let job = Job::new(lease, names, longest, now);
            let named = job.named(id);
            self.jobs.lock().begin(id.clone(), job);
            Some(named)
        };
        reserve_and(asks, &request, known, begin)
    }
}
