//! What a request of a guard asks of the allowances: it is a call, not a job.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::allowance::{AgentAllowance, ModelQuota, RepoLimit};
use super::allowance_accounts::{COST, REQUESTS, TOKENS, agent_limits, model_limits, repo_limits};
use super::allowances::AllowanceService;
use super::policy::GuardPolicy;
use crate::accounting::{Code, Denied, Key, Kind, Unit};
use crate::ledger::{Account, Error};

/// An account, its meters by number, and what each counts.
pub(super) type Metered = (Arc<Account>, SmallVec<[(u8, Unit); 4]>);

impl AllowanceService {
    /// The accounts that a call of `agent` with `model` is charged to: those for which something
    /// was set. A model that the agent may not use is refused.
    pub(super) fn accounts_of_call(
        &self,
        agent: Option<&str>,
        model: Option<&str>,
    ) -> Result<Vec<Metered>, Error> {
        let key = |name, id: Option<&str>| id.map(|id| Key::parse(name, id)).transpose();
        let (agent, model) = (key("agent", agent)?, key("model", model)?);
        let mut found = Vec::new();
        if let Some(agent) = agent
            && let Some(allowance) = self.agents.setting(&agent)
        {
            let models = &allowance.model_allowlist;
            if let Some(model) = model.as_ref().map(Key::as_str)
                && !models.is_empty()
                && !models.iter().any(|allowed| allowed == model)
            {
                let mut denied = Denied::plain(Code::AllowanceExceeded, Kind::Model, None);
                denied.reason = Some(format!("model not in allowlist: {model}"));
                denied.id = Some(agent);
                return Err(denied.into());
            }
            let units = SmallVec::from_slice(&[(TOKENS, Unit::Tokens)]);
            found.push((self.agents.account(&agent)?, units));
        }
        if let Some(model) = model
            && self.models.setting(&model).is_some()
        {
            let units = [(TOKENS, Unit::Tokens), (REQUESTS, Unit::Calls), (COST, Unit::Cost)];
            found.push((self.models.account(&model)?, units.into_iter().collect()));
        }
        Ok(found)
    }

    /// Takes back what a policy had set and `kept` does not set any more.
    pub(super) fn take_back(&self, old: &GuardPolicy, kept: &GuardPolicy) -> Result<(), Error> {
        for gone in &old.allowances {
            if !kept.allowances.iter().any(|other| other.agent_id == gone.agent_id) {
                let id = Key::parse("agent", &gone.agent_id)?;
                self.agents.unset(&id, &agent_limits(&AgentAllowance::default()))?;
            }
        }
        for gone in &old.model_quotas {
            if !kept.model_quotas.iter().any(|other| other.model == gone.model) {
                let id = Key::parse("model", &gone.model)?;
                self.models.unset(&id, &model_limits(&ModelQuota::default()))?;
            }
        }
        for gone in &old.repos {
            if !kept.repos.iter().any(|other| other.repo == gone.repo) {
                let id = Key::parse("repo", &gone.repo)?;
                self.repos.unset(&id, &repo_limits(&RepoLimit::default()))?;
            }
        }
        self.changed();
        Ok(())
    }

    /// Sets what a policy says of each agent, model and repository, or takes it back.
    pub(super) fn set_each(&self, policy: &GuardPolicy) -> Result<(), Error> {
        let agent = policy.each_agent.clone();
        self.agents.set_each(agent.clone(), &agent_limits(&agent.unwrap_or_default()))?;
        let model = policy.each_model.clone();
        self.models.set_each(model.clone(), &model_limits(&model.unwrap_or_default()))?;
        let repo = policy.each_repo.clone();
        self.repos.set_each(repo.clone(), &repo_limits(&repo.unwrap_or_default()))?;
        self.changed();
        Ok(())
    }

    /// A number that changes when something is set.
    pub(super) fn generation(&self) -> u64 {
        // Acquire pairs with the release in `changed`: who sees it sees what was set.
        self.generation.load(Ordering::Acquire)
    }

    /// Something was set.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}
