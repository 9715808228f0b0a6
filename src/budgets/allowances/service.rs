//! The service of allowances: it decides which jobs may begin.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::accounts::{
    Limited, Opening, Showing, agent_limits, checked_duration, model_limits, open_agent,
    open_model, open_repo, repo_limits,
};
use super::job::{JobId, day_of};
use super::job_table::JobTable;
use super::kept::KeptJob;
use super::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::accounting::{Clock, Key, LONGEST, Limit, Moment, Show, Tick};
use crate::budgets::stored::core;
use crate::ledger::{Core, Error, Policy};
use crate::store::Store;

/// The options of an [`AllowanceService`].
#[derive(Clone, Debug, Default)]
pub struct AllowanceOptions {
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the usage is kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
}

/// A job runs until its end is reported, or for as long as its allowance says.
fn policy() -> Policy {
    Policy { lease_ttl: LONGEST, ..Policy::default() }
}

/// What agents may do in a day and at the same time, over all models and repositories. An agent
/// without an allowance is refused. Days are UTC.
///
/// ```
/// use outlay::{AgentAllowance, AllowanceService, Clock, QuotaEvent, UsageReport};
/// let service = AllowanceService::new(Clock::System);
/// service.set_allowance(AgentAllowance {
///     agent_id: "a-1".into(), daily_token_limit: 1_000, concurrent_jobs: 1,
///     ..AgentAllowance::default()
/// })?;
/// service.start_job("a-1", "j-1", "gpt-x", None, 400)?;
/// assert!(service.start_job("a-1", "j-2", "", None, 0).is_err()); // one at a time
/// service.record(&UsageReport {
///     agent_id: "a-1".into(), job_id: "j-1".into(), event: QuotaEvent::JobFailed,
///     model: String::new(), tokens_in: 300, tokens_out: 7, cost_micros_usd: 50,
/// })?;
/// assert_eq!(service.usage("a-1")?.tokens_used, 154); // 153 came back
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Debug)]
pub struct AllowanceService {
    pub(super) core: Arc<Core>,
    pub(super) agents: Limited<AgentAllowance>,
    pub(super) models: Limited<ModelQuota>,
    pub(super) repos: Limited<RepoLimit>,
    pub(super) jobs: Mutex<JobTable>,
    generation: AtomicU64,
    pub(super) showing: Arc<Showing>,
    spares_zero: bool,
    pub(super) store: Option<Arc<Store>>,
    /// Whether the store keeps what is set. A guard has its policy.
    pub(super) keeps_settings: bool,
    /// Jobs in the store that began here, with the versions of their facts.
    pub(super) mine: Mutex<HashMap<JobId, (KeptJob, u64)>>,
    /// When the quotas of models were last heard.
    pub(super) quotas_heard: Mutex<Option<Tick>>,
}

impl AllowanceService {
    /// A service without allowances.
    pub fn new(clock: Clock) -> Self {
        Self::of(Core::new(clock, policy()), None, false)
    }

    /// A service without allowances. In a store, what was used is counted by the ids of agents, models
    /// and repositories.
    pub fn with(options: AllowanceOptions) -> Result<Self, Error> {
        Self::in_store(options, false)
    }

    /// The service of a guard. A call that costs nothing is admitted even if a budget is
    /// overspent.
    pub(crate) fn in_guard(options: AllowanceOptions) -> Result<Self, Error> {
        Self::in_store(options, true)
    }

    fn in_store(options: AllowanceOptions, spares_zero: bool) -> Result<Self, Error> {
        let AllowanceOptions { clock, store } = options;
        Ok(Self::of(core(store.as_ref(), clock, policy())?, store, spares_zero))
    }

    fn of(core: Arc<Core>, store: Option<Arc<Store>>, spares_zero: bool) -> Self {
        let showing = Arc::new(Showing::default());
        let (own, mine) = (store.clone(), Mutex::default());
        let follows = !spares_zero;
        let opening =
            Opening { core: Arc::clone(&core), store, follows, showing: Arc::clone(&showing) };
        let opening = Arc::new(opening);
        Self {
            agents: Limited::new(&opening, open_agent),
            models: Limited::new(&opening, open_model),
            repos: Limited::new(&opening, open_repo),
            jobs: Mutex::new(JobTable::new(core.clock().now(true))),
            generation: AtomicU64::new(0),
            core,
            showing,
            spares_zero,
            store: own,
            keeps_settings: !spares_zero,
            mine,
            quotas_heard: Mutex::new(None),
        }
    }

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

    fn sparing<const N: usize>(&self, limits: [Limit; N]) -> [Limit; N] {
        if self.spares_zero { limits.map(Limit::spares_zero) } else { limits }
    }

    /// Sets what a model that is refused reads of names and totals.
    pub(crate) fn set_show(&self, show: Show) {
        self.showing.set(show);
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

    /// A number that changes whenever a limit is set.
    pub(crate) fn generation(&self) -> u64 {
        // Acquire pairs with the release in `changed`: a thread that reads the new number sees the
        // new limits.
        self.generation.load(Ordering::Acquire)
    }

    /// The same limits, as this service applies them.
    pub(super) fn spared<const N: usize>(&self, limits: [Limit; N]) -> Vec<Limit> {
        self.sparing(limits).to_vec()
    }

    /// A limit was set in another process.
    pub(super) fn noted(&self) {
        self.changed();
    }

    /// Notes that a limit was set.
    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The present, with its wall time.
    pub(super) fn now(&self) -> Moment {
        self.core.clock().now(true)
    }

    /// The number of the present day.
    pub(super) fn today(&self) -> i64 {
        day_of(self.core.clock().wall_ns())
    }

    /// The maximum duration of the jobs of an agent, or `None` for no maximum.
    pub(super) fn longest(&self, agent: &Key) -> Option<Duration> {
        let longest = self.agents.setting(agent)?.max_job_duration;
        (!longest.is_zero()).then_some(longest)
    }
}
