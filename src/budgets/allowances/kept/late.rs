//! Jobs of all processes that run, and those that have run for too long.

use super::values::{JOBS as FACTS, JobStage, KeptJob, LATE};
use crate::accounting::{Key, Terms};
use crate::budgets::allowances::accounts::SLOTS;
use crate::budgets::allowances::reports::JobRef;
use crate::budgets::allowances::service::AllowanceService;
use crate::budgets::allowances::starting::Start;
use crate::budgets::facts::{look, written};
use crate::ledger::{Account, Error, check};
use crate::store::{Change, Fact, Moved, Store};

impl AllowanceService {
    /// Frees the slots of jobs that have run for too long. They stay charged at their estimate until
    /// their end is reported. Returns whether there was one.
    pub(in crate::budgets::allowances) fn end_late(
        &self,
        store: &Store,
        agent: Option<&Key>,
    ) -> Result<bool, Error> {
        let now = self.now().wall_ns;
        let mut freed = false;
        for (job, seen) in FACTS.all::<KeptJob>(store)? {
            let is_asked = agent.is_none_or(|agent| agent.as_str() == job.agent);
            if !(is_asked && job.runs() && job.is_due(now)) {
                continue;
            }
            let account = self.agents.account(&Key::parse("agent_id", &job.agent)?)?;
            let moved = vec![Moved::settled(self.limit_in(&account, SLOTS)?, 1, 0)];
            let late = KeptJob { stage: JobStage::Late, ..job.clone() };
            let id = FACTS.id(&format!("{}\n{}", job.agent, job.job));
            let change = Change::Put(written(&late)?, moved);
            // If another process was faster, the slot is free as well.
            freed |= store.fact(Fact { id, seen, keep: LATE, change })?.changed;
        }
        if freed {
            // Their versions are others now.
            self.mine.lock().retain(|_, (job, _)| !job.is_due(now));
        }
        Ok(freed)
    }

    /// Whether a job would pass, by what the store says now.
    pub(in crate::budgets::allowances) fn check_kept(
        &self,
        store: &Store,
        start: &Start,
    ) -> Result<(), Error> {
        self.end_late(store, Some(&start.agent))?;
        for ask in self.asks(start, Terms::Gated) {
            look(store, &ask.account)?;
            if let Some(refused) = ask.account.known_refusal(&ask.demands, Terms::Gated)? {
                return Err(refused);
            }
        }
        self.hear_settings(store, &start.agent, start.repo.as_ref())?;
        self.with_repo(start, Vec::new(), |asks| if asks.is_empty() { Ok(()) } else { check(asks) })
    }

    /// The jobs of all processes that have run for too long, longest overdue first.
    pub(in crate::budgets::allowances) fn kept_overdue(
        &self,
        store: &Store,
    ) -> Result<Vec<JobRef>, Error> {
        let now = self.now().wall_ns;
        let all = FACTS.all::<KeptJob>(store)?.into_iter();
        let mut late: Vec<JobRef> =
            all.filter(|(job, _)| job.is_due(now)).map(|(job, _)| job.named()).collect();
        late.sort();
        Ok(late)
    }

    /// What running jobs of an agent hold of its tokens of the present day. What is known of its
    /// account is brought up to date.
    pub(in crate::budgets::allowances) fn held_by_jobs(
        &self,
        store: &Store,
        account: &Account,
        today: i64,
    ) -> Result<u64, Error> {
        let agent = account.key();
        self.end_late(store, Some(agent))?;
        look(store, account)?;
        held(store, today, |job| job.agent == agent.as_str())
    }

    /// What running jobs hold of the tokens of a model of the present day.
    pub(in crate::budgets::allowances) fn held_of_model(
        &self,
        store: &Store,
        model: &Key,
        today: i64,
    ) -> Result<u64, Error> {
        self.end_late(store, None)?;
        held(store, today, |job| job.counted.as_deref() == Some(model.as_str()))
    }
}

/// What running jobs hold of the tokens of a day.
fn held(store: &Store, day: i64, is_asked: impl Fn(&KeptJob) -> bool) -> Result<u64, Error> {
    let all = FACTS.all::<KeptJob>(store)?.into_iter().map(|(job, _)| job);
    let asked = all.filter(|job| job.runs() && job.day == day && is_asked(job));
    Ok(asked.fold(0, |sum, job| sum.saturating_add(job.tokens)))
}
