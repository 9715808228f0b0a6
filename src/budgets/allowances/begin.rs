//! Begins jobs: in one step over the accounts of the agent, the model and the repository.

use super::accounts::JOBS;
use super::job::{Job, JobId};
use super::reports::{JobRef, UsageReport};
use super::service::AllowanceService;
use super::starting::Start;
use crate::accounting::{Moment, Terms, Usage};
use crate::ledger::{Ask, Demand, Error, Heritable, Lease, Request, reserve_and};

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
        let service = self.here()?;
        let start = service.start(agent_id, model, repo, estimated_tokens)?;
        let id = JobId::parse(agent_id, job_id)?;
        service.hear_allowance(&start.agent, false)?;
        let begun = service.allows(&start).and_then(|()| {
            service.keep(&start)?;
            match &service.store {
                Some(store) => service.start_kept(store, &start, &id),
                None => {
                    let asks = service.asks(&start, Terms::Gated);
                    service.with_repo(&start, asks, |asks| service.begin(&start, &id, asks))
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
        let service = self.here()?;
        let (start, id) = service.start_of(report)?;
        service.keep(&start)?;
        if let Some(store) = &service.store {
            return service.record_kept_start(store, &start, &id);
        }
        if service.begin(&start, &id, &service.asks(&start, Terms::Recorded))?.is_some() {
            return Ok(true);
        }
        // Its end was reported first. Then it only counts as one more job of the day.
        let late = service.jobs.lock().count(&id);
        if late {
            service.agents.account(&id.agent)?.record(&[Demand::new(JOBS, 1)])?;
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
