//! Ends jobs, and previews what a report would change.

use super::accounts::{COST, REQUESTS, TOKENS};

use super::job::{Job, JobId};
use super::job_table::JobRecord;
use super::reports::{JobRef, QuotaEvent, ReportPreview, UsageReport};
use super::service::AllowanceService;
use super::starting::model_key;
use crate::accounting::{Key, Usage};
use crate::ledger::{Actual, Demand, Error, Heritable};

impl AllowanceService {
    /// Records what happened to a job. Returns false if that was known and changes nothing.
    ///
    /// A beginning is never refused: it has happened. Of several ends the first counts. The end of
    /// an unknown job counts its tokens and its cost.
    pub fn record(&self, report: &UsageReport) -> Result<bool, Error> {
        match report.event {
            QuotaEvent::JobStarted => self.record_start(report),
            _ => self.record_end(report),
        }
    }

    fn record_end(&self, report: &UsageReport) -> Result<bool, Error> {
        let id = JobId::parse(&report.agent_id, &report.job_id)?;
        let model = model_key(&report.model)?;
        let service = self.here()?;
        if let Some(store) = &service.store {
            service.hear_quotas()?;
            return service.record_kept_end(store, report);
        }
        let agent = service.agents.account(&id.agent)?;
        let (now, net) = (service.now(), report.event.settles(report.tokens(), 0).net());
        // In one step: a beginning or an end at the same time comes before or after it.
        let end = || service.jobs.lock().end(&id, now);
        match agent.record_once(end, &[Demand::new(TOKENS, net)])? {
            None => service.record_model(model, net, report.cost_micros_usd).map(|()| true),
            Some(JobRecord::Ended { .. }) => Ok(false),
            Some(JobRecord::Runs(job)) => service.settle(job, model, report).map(|()| true),
        }
    }

    /// Ends a job that is running, or has run for too long.
    fn settle(&self, job: Job, model: Option<Key>, report: &UsageReport) -> Result<(), Error> {
        let net = report.event.settles(report.tokens(), job.estimate()).net();
        job.lease.commit(Actual::Usage(Usage::priced(net, report.cost_micros_usd)))?;
        if job.model.is_none() {
            self.record_model(model, net, report.cost_micros_usd)?;
        }
        match &job.repo {
            Some(repo) if report.event == QuotaEvent::JobFailed => self.start_cooldown(repo),
            _ => Ok(()),
        }
    }

    /// Counts the usage of a job for a model with which it did not begin.
    fn record_model(&self, model: Option<Key>, tokens: u64, cost: u64) -> Result<(), Error> {
        let Some(model) = model else { return Ok(()) };
        self.models.account(&self.models.counted(model)?)?.record(&[
            Demand::new(TOKENS, tokens),
            Demand::new(REQUESTS, 1),
            Demand::new(COST, cost),
        ])
    }

    /// What [`record`](Self::record) would change now, or `None` for nothing.
    pub fn preview(&self, report: &UsageReport) -> Result<Option<ReportPreview>, Error> {
        let service = self.here()?;
        let id = JobId::parse(&report.agent_id, &report.job_id)?;
        let named =
            model_key(&report.model)?.map(|model| service.models.counted(model)).transpose()?;
        let named = named.as_ref().map_or("", Key::as_str);
        let now = service.now();
        let mut jobs = service.jobs.lock();
        let started = report.event == QuotaEvent::JobStarted;
        let (estimate, model, frees_slot) = match jobs.find(&id, now) {
            None => (0, named, false),
            Some(JobRecord::Runs(_)) if started => return Ok(None),
            Some(JobRecord::Runs(job)) => {
                let model = job.counted.as_ref().map_or(named, Key::as_str);
                (job.estimate(), model, true)
            }
            Some(JobRecord::Ended { counted: false }) if started => (0, "", false),
            Some(JobRecord::Ended { .. }) => return Ok(None),
        };
        let tokens = if started { 0 } else { report.tokens() };
        let settled = report.event.settles(tokens, estimate);
        Ok(Some(ReportPreview {
            jobs: u64::from(started),
            tokens_total: settled.total,
            tokens_returned: settled.returned,
            frees_slot,
            model: model.to_owned(),
        }))
    }

    /// The jobs that have run for too long and whose end was not reported yet, longest overdue
    /// first.
    pub fn overdue(&self) -> Result<Vec<JobRef>, Error> {
        let service = self.here()?;
        if let Some(store) = &service.store {
            return service.kept_overdue(store);
        }
        let now = service.core.clock().tick();
        Ok(service.jobs.lock().overdue(now))
    }
}
