//! Sets and tells what agents, models and repositories may use.

use super::accounts::{agent_limits, checked_duration, model_limits, repo_limits};
use super::service::AllowanceService;
use super::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::accounting::Key;
use crate::ledger::{Error, Heritable};

impl AllowanceService {
    /// Sets or changes the allowance of an agent. Usage and running jobs stay.
    pub fn set_allowance(&self, allowance: AgentAllowance) -> Result<(), Error> {
        let service = self.here()?;
        let agent = Key::parse("agent_id", &allowance.agent_id)?;
        checked_duration("max_job_duration", allowance.max_job_duration)?;
        for model in &allowance.model_allowlist {
            Key::parse("model_allowlist", model)?;
        }
        service.agents.check("daily_token_limit", allowance.daily_token_limit)?;
        service.agents.check("daily_job_limit", allowance.daily_job_limit)?;
        service.agents.check("concurrent_jobs", allowance.concurrent_jobs)?;
        let limits = service.sparing(agent_limits(&allowance));
        match service.settings_store() {
            Some(store) => {
                service.keep_allowance(store, &allowance)?;
                service.agents.learn(agent, allowance, &limits)?;
            }
            None => service.agents.set(agent, allowance, &limits)?,
        }
        service.changed();
        Ok(())
    }

    /// Sets or changes what all agents may use of a model. Usage stays.
    pub fn set_model_quota(&self, quota: ModelQuota) -> Result<(), Error> {
        let service = self.here()?;
        let model = Key::parse("model", &quota.model)?;
        service.models.check("daily_token_budget", quota.daily_token_budget)?;
        service.models.check("hourly_rate_limit", quota.hourly_rate_limit)?;
        service.models.check("cost_ceiling_micros_usd", quota.cost_ceiling_micros_usd)?;
        let limits = service.sparing(model_limits(&quota));
        match service.settings_store() {
            Some(store) => {
                service.keep_quota(store, &quota)?;
                service.models.learn(model, quota, &limits)?;
            }
            None => service.models.set(model, quota, &limits)?,
        }
        service.changed();
        Ok(())
    }

    /// Sets or changes what all agents may do in a repository. Usage stays, and so does a running
    /// cooldown.
    pub fn set_repo_limit(&self, limit: RepoLimit) -> Result<(), Error> {
        let service = self.here()?;
        let repo = Key::parse("repo", &limit.repo)?;
        checked_duration("cooldown_after_failure", limit.cooldown_after_failure)?;
        service.repos.check("max_daily_prs", limit.max_daily_prs)?;
        service.repos.check("max_daily_issues", limit.max_daily_issues)?;
        let limits = repo_limits(&limit);
        match service.settings_store() {
            Some(store) => {
                service.keep_repo(store, &limit)?;
                service.repos.learn(repo, limit, &limits)
            }
            None => service.repos.set(repo, limit, &limits),
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
        let service = self.here()?;
        let agent = Key::parse("agent_id", agent_id)?;
        service.hear_allowance(&agent, true)?;
        let set = service.agents.setting(&agent);
        let own = |of: &AgentAllowance| AgentAllowance { agent_id: agent_id.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// The quota that counts a model.
    pub fn model_quota(&self, model: &str) -> Result<Option<ModelQuota>, Error> {
        let service = self.here()?;
        service.hear_quotas()?;
        let set = service.models.setting(&service.models.counted(Key::parse("model", model)?)?);
        let own = |of: &ModelQuota| ModelQuota { model: model.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// The limit of a repository.
    pub fn repo_limit(&self, repo: &str) -> Result<Option<RepoLimit>, Error> {
        let service = self.here()?;
        let key = Key::parse("repo", repo)?;
        service.hear_repo(&key)?;
        let set = service.repos.setting(&key);
        let own = |of: &RepoLimit| RepoLimit { repo: repo.into(), ..of.clone() };
        Ok(set.as_deref().map(own))
    }

    /// Whether an agent has an allowance.
    pub fn is_configured(&self, agent_id: &str) -> Result<bool, Error> {
        let service = self.here()?;
        let agent = Key::parse("agent_id", agent_id)?;
        service.hear_allowance(&agent, false)?;
        Ok(service.agents.setting(&agent).is_some())
    }
}
