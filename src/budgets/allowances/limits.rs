//! Sets and tells what agents, models and repositories may use.

use super::accounts::{agent_limits, checked_duration, model_limits, repo_limits};
use super::service::AllowanceService;
use super::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::accounting::Key;
use crate::ledger::Error;

impl AllowanceService {
    /// Sets or changes the allowance of an agent. Usage and running jobs stay.
    pub fn set_allowance(&self, allowance: AgentAllowance) -> Result<(), Error> {
        self.core.same_process()?;
        let agent = Key::parse("agent_id", &allowance.agent_id)?;
        checked_duration("max_job_duration", allowance.max_job_duration)?;
        for model in &allowance.model_allowlist {
            Key::parse("model_allowlist", model)?;
        }
        self.agents.check("daily_token_limit", allowance.daily_token_limit)?;
        self.agents.check("daily_job_limit", allowance.daily_job_limit)?;
        self.agents.check("concurrent_jobs", allowance.concurrent_jobs)?;
        let limits = self.sparing(agent_limits(&allowance));
        match self.settings_store() {
            Some(store) => {
                self.keep_allowance(store, &allowance)?;
                self.agents.learn(agent, allowance, &limits)?;
            }
            None => self.agents.set(agent, allowance, &limits)?,
        }
        self.changed();
        Ok(())
    }

    /// Sets or changes what all agents may use of a model. Usage stays.
    pub fn set_model_quota(&self, quota: ModelQuota) -> Result<(), Error> {
        self.core.same_process()?;
        let model = Key::parse("model", &quota.model)?;
        self.models.check("daily_token_budget", quota.daily_token_budget)?;
        self.models.check("hourly_rate_limit", quota.hourly_rate_limit)?;
        self.models.check("cost_ceiling_micros_usd", quota.cost_ceiling_micros_usd)?;
        let limits = self.sparing(model_limits(&quota));
        match self.settings_store() {
            Some(store) => {
                self.keep_quota(store, &quota)?;
                self.models.learn(model, quota, &limits)?;
            }
            None => self.models.set(model, quota, &limits)?,
        }
        self.changed();
        Ok(())
    }

    /// Sets or changes what all agents may do in a repository. Usage stays, and so does a running
    /// cooldown.
    pub fn set_repo_limit(&self, limit: RepoLimit) -> Result<(), Error> {
        self.core.same_process()?;
        let repo = Key::parse("repo", &limit.repo)?;
        checked_duration("cooldown_after_failure", limit.cooldown_after_failure)?;
        self.repos.check("max_daily_prs", limit.max_daily_prs)?;
        self.repos.check("max_daily_issues", limit.max_daily_issues)?;
        let limits = repo_limits(&limit);
        match self.settings_store() {
            Some(store) => {
                self.keep_repo(store, &limit)?;
                self.repos.learn(repo, limit, &limits)
            }
            None => self.repos.set(repo, limit, &limits),
        }
    }

    /// Removes the allowance of an agent. Usage and running jobs stay.
    pub(crate) fn unset_allowance(&self, agent_id: &str) -> Result<(), Error> {
        let none = agent_limits(&AgentAllowance::default());
        self.agents.unset(&Key::parse("agent", agent_id)?, &none)?;
        self.changed();
        Ok(())
    }

    /// Removes the quota of a model. Usage stays.
    pub(crate) fn unset_model_quota(&self, model: &str) -> Result<(), Error> {
        let none = model_limits(&ModelQuota::default());
        self.models.unset(&Key::parse("model", model)?, &none)?;
        self.changed();
        Ok(())
    }

    /// Removes the limit of a repository. Usage stays.
    pub(crate) fn unset_repo_limit(&self, repo: &str) -> Result<(), Error> {
        self.repos.unset(&Key::parse("repo", repo)?, &repo_limits(&RepoLimit::default()))
    }

    /// Sets the limits of every agent, model and repository that has none of its own, or removes
    /// them.
    pub(crate) fn set_each(
        &self,
        agent: Option<AgentAllowance>,
        model: Option<ModelQuota>,
        repo: Option<RepoLimit>,
    ) -> Result<(), Error> {
        let limits = self.sparing(agent_limits(&agent.clone().unwrap_or_default()));
        self.agents.set_each(agent, &limits)?;
        let limits = self.sparing(model_limits(&model.clone().unwrap_or_default()));
        self.models.set_each(model, &limits)?;
        self.repos.set_each(repo.clone(), &repo_limits(&repo.unwrap_or_default()))?;
        self.changed();
        Ok(())
    }

    /// The allowance of an agent.
    pub fn allowance(&self, agent_id: &str) -> Result<Option<AgentAllowance>, Error> {
        self.core.same_process()?;
        let agent = Key::parse("agent_id", agent_id)?;
        self.hear_allowance(&agent, true)?;
        let set = self.agents.setting(&agent);
        let own = |of: &AgentAllowance| AgentAllowance { agent_id: agent_id.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// The quota that counts a model.
    pub fn model_quota(&self, model: &str) -> Result<Option<ModelQuota>, Error> {
        self.core.same_process()?;
        self.hear_quotas()?;
        let set = self.models.setting(&self.models.counted(Key::parse("model", model)?)?);
        let own = |of: &ModelQuota| ModelQuota { model: model.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// The limit of a repository.
    pub fn repo_limit(&self, repo: &str) -> Result<Option<RepoLimit>, Error> {
        self.core.same_process()?;
        let key = Key::parse("repo", repo)?;
        self.hear_repo(&key)?;
        let set = self.repos.setting(&key);
        let own = |of: &RepoLimit| RepoLimit { repo: repo.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// Whether an agent has an allowance.
    pub fn is_configured(&self, agent_id: &str) -> Result<bool, Error> {
        self.core.same_process()?;
        let agent = Key::parse("agent_id", agent_id)?;
        self.hear_allowance(&agent, false)?;
        Ok(self.agents.setting(&agent).is_some())
    }
}
