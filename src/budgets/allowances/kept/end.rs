//! A job ends once, in whichever process its end is reported first.

use super::values::{JOBS as FACTS, JobStage, KeptJob, name_of};
use crate::accounting::Key;
use crate::budgets::allowances::accounts::{COST, SLOTS, TOKENS};
use crate::budgets::allowances::job::{JobId, day_of};
use crate::budgets::allowances::reports::{QuotaEvent, UsageReport};
use crate::budgets::allowances::service::AllowanceService;
use crate::budgets::allowances::starting::model_key;
use crate::budgets::facts::{learning, written};
use crate::ledger::Error;
use crate::store::{Change, Fact, Moved, Store};

/// How often an end is tried that other reports overtake.
const TRIES: usize = 16;

impl AllowanceService {
    /// Ends a job for all processes. Returns false if it has ended.
    pub(in crate::budgets::allowances) fn record_kept_end(
        &self,
        store: &Store,
        report: &UsageReport,
    ) -> Result<bool, Error> {
        let id = JobId::parse(&report.agent_id, &report.job_id)?;
        let named = model_key(&report.model)?;
        let name = name_of(&id);
        let mut known = self.mine.lock().remove(&id).map(|(job, version)| (Some(job), version));
        for _ in 0..TRIES {
            let (job, seen) = match known.take() {
                Some(known) => known,
                None => {
                    let given = store.fact(Fact::read(FACTS.id(&name)))?;
                    (FACTS.value(&name, &given)?, given.version)
                }
            };
            let is_over = job.as_ref().is_none_or(|job| job.stage == JobStage::EndedFirst);
            if is_over && seen > 0 {
                return Ok(false);
            }
            let change = match &job {
                Some(job) => Change::Remove(self.settled(job, named.as_ref(), report)?),
                None => self.ended_first(&id, named.as_ref(), report)?,
            };
            let fact = Fact { id: FACTS.id(&name), seen, keep: self.remembered(), change };
            let given = store.fact(fact)?;
            if given.changed {
                self.after_end(store, job.as_ref(), named.as_ref(), report)?;
                return Ok(true);
            }
            if given.version == seen {
                break;
            }
        }
        Err(learning("job", id.job.as_str()))
    }

    /// What moves at the end of a job: its hold goes, and what it has used is booked in the day of
    /// the hold; what is more than that, today.
    fn settled(
        &self,
        job: &KeptJob,
        named: Option<&Key>,
        report: &UsageReport,
    ) -> Result<Vec<Moved>, Error> {
        let net = report.event.settles(report.tokens(), job.tokens).net();
        let agent = self.agents.account(&Key::parse("agent_id", &job.agent)?)?;
        let counted = job.counted.as_deref().map(|model| Key::parse("model", model)).transpose()?;
        let model = counted.as_ref().map(|model| self.models.account(model)).transpose()?;
        let mut moved = Vec::new();
        for account in [Some(&agent), model.as_ref()].into_iter().flatten() {
            let tokens = self.limit_in(account, TOKENS)?;
            moved.push(Moved::settled(tokens, job.tokens, net.min(job.tokens)));
            moved.push(Moved::booked(tokens, net.saturating_sub(job.tokens)));
        }
        if job.runs() {
            moved.push(Moved::settled(self.limit_in(&agent, SLOTS)?, 1, 0));
        }
        match &model {
            Some(model) => {
                moved.push(Moved::booked(self.limit_in(model, COST)?, report.cost_micros_usd));
            }
            None => moved.extend(self.used_of(named, net, report.cost_micros_usd)?),
        }
        Ok(moved)
    }

    /// The end of a job of which nobody has reported the beginning.
    fn ended_first(
        &self,
        id: &JobId,
        named: Option<&Key>,
        report: &UsageReport,
    ) -> Result<Change, Error> {
        let net = report.event.settles(report.tokens(), 0).net();
        let agent = self.agents.account(&id.agent)?;
        let mut moved = vec![Moved::booked(self.limit_in(&agent, TOKENS)?, net)];
        moved.extend(self.used_of(named, net, report.cost_micros_usd)?);
        let job = KeptJob {
            agent: id.agent.as_str().to_owned(),
            job: id.job.as_str().to_owned(),
            model: named.map(|model| model.as_str().to_owned()),
            counted: None,
            repo: None,
            tokens: 0,
            day: day_of(self.now().wall_ns),
            due_ns: None,
            stage: JobStage::EndedFirst,
        };
        Ok(Change::Put(written(&job)?, moved))
    }

    /// What was used of a model with which no job began.
    fn used_of(&self, model: Option<&Key>, tokens: u64, cost: u64) -> Result<Vec<Moved>, Error> {
        let Some(model) = model else { return Ok(Vec::new()) };
        let account = self.models.account(&self.models.counted(model.clone())?)?;
        let limit = |meter| self.limit_in(&account, meter);
        Ok(vec![Moved::booked(limit(TOKENS)?, tokens), Moved::booked(limit(COST)?, cost)])
    }

    /// What follows from the end of a job, and is no part of its fact.
    fn after_end(
        &self,
        store: &Store,
        job: Option<&KeptJob>,
        named: Option<&Key>,
        report: &UsageReport,
    ) -> Result<(), Error> {
        if job.is_none_or(|job| job.model.is_none())
            && let Some(model) = named
        {
            self.count_hour(Some(&self.models.counted(model.clone())?))?;
        }
        match job.and_then(|job| job.repo.as_deref()) {
            Some(repo) if report.event == QuotaEvent::JobFailed => {
                self.keep_cooldown(store, &Key::parse("repo", repo)?)
            }
            _ => Ok(()),
        }
    }
}
