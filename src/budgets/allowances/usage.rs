//! The usage of agents and models, and how counts of a store replace it.

use super::accounts::{JOBS, SLOTS, TOKENS};
use super::job::start_of;
use super::service::AllowanceService;
use super::settings::UsageRecord;
use crate::accounting::{Key, Window};
use crate::budgets::facts::look;
use crate::budgets::stored::settle;
use crate::ledger::{Demand, Error, Heritable};

impl AllowanceService {
    /// The usage of an agent today. All zeros for an unknown agent.
    pub fn usage(&self, agent_id: &str) -> Result<UsageRecord, Error> {
        let service = self.here()?;
        let agent = Key::parse("agent_id", agent_id)?;
        let mut record = UsageRecord {
            agent_id: agent_id.to_owned(),
            tokens_used: 0,
            jobs_started: 0,
            active_jobs: 0,
            period_start_ns: start_of(service.today()),
        };
        let (held, account) = match &service.store {
            Some(store) => {
                // It is kept here meanwhile: one that says nothing is forgotten.
                let account = service.agents.account(&agent)?;
                let held = service.held_by_jobs(store, &account, service.today())?;
                (held, Some(account))
            }
            None => (0, service.agents.find(&agent)),
        };
        if let Some(account) = account {
            account.read(|meters, _| {
                let [tokens, jobs, slots] = [TOKENS, JOBS, SLOTS].map(|n| &meters[usize::from(n)]);
                record.tokens_used = tokens.used().saturating_sub(held);
                record.jobs_started = jobs.used();
                record.active_jobs = slots.used().saturating_add(slots.reserved());
                if let Window::Calendar(day) = tokens.window()
                    && !tokens.is_shared()
                {
                    record.period_start_ns = day.start_ns();
                }
            })?;
        }
        Ok(record)
    }

    /// The tokens of a model that were charged today, as it is counted.
    pub fn model_usage(&self, model: &str) -> Result<u64, Error> {
        let service = self.here()?;
        service.hear_quotas()?;
        let model = service.models.counted(Key::parse("model", model)?)?;
        let (held, account) = match &service.store {
            Some(store) => {
                let account = service.models.account(&model)?;
                look(store, &account)?;
                (service.held_of_model(store, &model, service.today())?, Some(account))
            }
            None => (0, service.models.find(&model)),
        };
        let Some(account) = account else { return Ok(0) };
        let used = account.read(|meters, _| meters[usize::from(TOKENS)].used())?;
        Ok(used.saturating_sub(held))
    }

    /// Forgets the usage of an agent today. Running jobs keep their slots. Their tokens are
    /// forgotten too.
    pub fn reset_agent(&self, agent_id: &str) -> Result<(), Error> {
        let service = self.here()?;
        let agent = Key::parse("agent_id", agent_id)?;
        let account = match &service.store {
            Some(_) => Some(service.agents.account(&agent)?),
            None => service.agents.find(&agent),
        };
        account.map_or(Ok(()), |account| {
            account.adjust(|meters, now| {
                [TOKENS, JOBS].map(usize::from).into_iter().for_each(|n| meters[n].reset(now));
            })?;
            settle(&account)
        })
    }

    /// Replaces the usage of an agent today by the counts of a store, with the number of its jobs
    /// that run elsewhere.
    pub fn sync_agent(
        &self,
        agent_id: &str,
        tokens_used: u64,
        jobs_started: u64,
        active_elsewhere: u64,
    ) -> Result<(), Error> {
        let service = self.here()?;
        let account = service.agents.account(&Key::parse("agent_id", agent_id)?)?;
        let used = [
            Demand::new(TOKENS, tokens_used),
            Demand::new(JOBS, jobs_started),
            Demand::new(SLOTS, active_elsewhere),
        ];
        account.restore_used(&used)
    }

    /// Replaces the usage of a model today by the count of a store.
    pub fn sync_model(&self, model: &str, tokens_used: u64) -> Result<(), Error> {
        let service = self.here()?;
        let account = service.models.account(&Key::parse("model", model)?)?;
        account.restore_used(&[Demand::new(TOKENS, tokens_used)])
    }
}
