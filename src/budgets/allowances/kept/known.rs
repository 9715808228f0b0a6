//! Settings and cooldowns of all processes.

use std::time::Duration;

use super::values::{ALLOWANCES, COOLDOWNS, Cooldown, QUOTAS, REPOS, micros};
use crate::accounting::{Key, Limit, Tick};
use crate::budgets::allowances::accounts::{
    COOLDOWN, Limited, agent_limits, model_limits, repo_limits,
};
use crate::budgets::allowances::service::AllowanceService;
use crate::budgets::allowances::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::budgets::facts::{FactGroup, FactValue, limits_of, put};
use crate::ledger::{Account, Error};
use crate::store::{Moved, Store};

/// For so long a process believes what it has heard of the quotas of models.
const BELIEVED: Duration = Duration::from_secs(5);

impl AllowanceService {
    /// The store in which settings are kept. Those of a guard are in its policy.
    pub(in crate::budgets::allowances) fn settings_store(&self) -> Option<&Store> {
        self.store.as_deref().filter(|_| self.keeps_settings)
    }

    pub(in crate::budgets::allowances) fn keep_allowance(
        &self,
        store: &Store,
        set: &AgentAllowance,
    ) -> Result<(), Error> {
        let account = self.agents.account(&Key::parse("agent_id", &set.agent_id)?)?;
        keep(store, &ALLOWANCES, set, moved(&account, &agent_limits(set))?)
    }

    pub(in crate::budgets::allowances) fn keep_quota(
        &self,
        store: &Store,
        set: &ModelQuota,
    ) -> Result<(), Error> {
        let account = self.models.account(&Key::parse("model", &set.model)?)?;
        keep(store, &QUOTAS, set, moved(&account, &model_limits(set))?)
    }

    pub(in crate::budgets::allowances) fn keep_repo(
        &self,
        store: &Store,
        set: &RepoLimit,
    ) -> Result<(), Error> {
        let account = self.repos.account(&Key::parse("repo", &set.repo)?)?;
        keep(store, &REPOS, set, moved(&account, &repo_limits(set))?)
    }

    /// Hears what is set for a job that shall begin, and is not known here.
    pub(super) fn hear_settings(
        &self,
        store: &Store,
        agent: &Key,
        repo: Option<&Key>,
    ) -> Result<(), Error> {
        self.hear_allowance(agent, false)?;
        if let Some(repo) = repo {
            self.hear_repo(repo)?;
            self.hear_cooldown(store, repo)?;
        }
        Ok(())
    }

    /// Hears of the allowance of an agent. `always`: also if one is known.
    pub(in crate::budgets::allowances) fn hear_allowance(
        &self,
        agent: &Key,
        always: bool,
    ) -> Result<(), Error> {
        let Some(store) = self.settings_store() else { return Ok(()) };
        if !always && self.agents.own(agent.as_str()).is_some() {
            return Ok(());
        }
        hear(store, &ALLOWANCES, agent, &self.agents, |set| self.spared(agent_limits(set)))?;
        self.changed();
        Ok(())
    }

    /// Hears of the quotas of all models, once in a while.
    pub(in crate::budgets::allowances) fn hear_quotas(&self) -> Result<(), Error> {
        let Some(store) = self.settings_store() else { return Ok(()) };
        let now = self.core.clock().tick();
        let mut heard = self.quotas_heard.lock();
        if heard.is_some_and(|at: Tick| now.since(at) < BELIEVED) {
            return Ok(());
        }
        *heard = Some(now);
        drop(heard);
        for (quota, _) in QUOTAS.all::<ModelQuota>(store)? {
            let model = Key::parse("model", &quota.model)?;
            if self.models.own(model.as_str()).as_deref() != Some(&quota) {
                let limits = self.spared(model_limits(&quota));
                self.models.learn(model, quota, &limits)?;
                self.changed();
            }
        }
        Ok(())
    }

    pub(in crate::budgets::allowances) fn hear_repo(&self, repo: &Key) -> Result<(), Error> {
        let Some(store) = self.settings_store() else { return Ok(()) };
        if self.repos.own(repo.as_str()).is_some() {
            return Ok(());
        }
        hear(store, &REPOS, repo, &self.repos, |set| repo_limits(set).to_vec())
    }

    /// Hears what is set for a repository, and whether it cools down.
    pub(in crate::budgets::allowances) fn hear_repo_state(&self, repo: &Key) -> Result<(), Error> {
        let Some(store) = &self.store else { return Ok(()) };
        self.hear_repo(repo)?;
        self.hear_cooldown(store, repo)
    }

    /// A repository cools down from now on, for all processes.
    pub(in crate::budgets::allowances) fn keep_cooldown(
        &self,
        store: &Store,
        repo: &Key,
    ) -> Result<(), Error> {
        self.hear_repo(repo)?;
        let set = self.repos.setting(repo).map(|limit| limit.cooldown_after_failure);
        let Some(cooldown) = set.filter(|cooldown| !cooldown.is_zero()) else { return Ok(()) };
        let wall = i64::try_from(cooldown.as_nanos()).unwrap_or(i64::MAX);
        let until_ns = self.now().wall_ns.saturating_add(wall);
        let value = Cooldown { repo: repo.as_str().to_owned(), until_ns };
        put(store, (COOLDOWNS.id(repo.as_str()), micros(cooldown)), &value, Vec::new())?;
        self.close_repo(repo, cooldown)
    }

    /// Hears whether a repository cools down.
    pub(in crate::budgets::allowances) fn hear_cooldown(
        &self,
        store: &Store,
        repo: &Key,
    ) -> Result<(), Error> {
        if self.repos.setting(repo).is_none_or(|limit| limit.cooldown_after_failure.is_zero()) {
            return Ok(());
        }
        let Some((cooldown, _)) = COOLDOWNS.read::<Cooldown>(store, repo.as_str(), 0)? else {
            return Ok(());
        };
        let left = cooldown.until_ns.saturating_sub(self.now().wall_ns);
        self.close_repo(repo, Duration::from_nanos(u64::try_from(left).unwrap_or(0)))
    }

    fn close_repo(&self, repo: &Key, left: Duration) -> Result<(), Error> {
        self.repos.account(repo)?.adjust(|meters, now| {
            meters[usize::from(COOLDOWN)].provider_mut().close(now.tick.plus(left));
        })
    }
}

fn keep<S: FactValue>(
    store: &Store,
    group: &FactGroup<'_>,
    set: &S,
    moved: Vec<Moved>,
) -> Result<(), Error> {
    put(store, (group.id(&set.name()), u64::MAX), set, moved)
}

/// The limits that a setting means, in the store.
fn moved(account: &Account, limits: &[Limit]) -> Result<Vec<Moved>, Error> {
    let known = limits_of(account)?.into_iter().zip(limits);
    let set = known.filter_map(|(id, limit)| Some(Moved::set(id?, limit.max.unwrap_or(u64::MAX))));
    Ok(set.collect())
}

/// Takes what the store says of a setting.
fn hear<S: FactValue + PartialEq>(
    store: &Store,
    group: &FactGroup<'_>,
    id: &Key,
    settings: &Limited<S>,
    limits: impl Fn(&S) -> Vec<Limit>,
) -> Result<(), Error> {
    match group.read::<S>(store, id.as_str(), 0)? {
        Some((set, _)) if settings.own(id.as_str()).as_deref() != Some(&set) => {
            let limits = limits(&set);
            settings.learn(id.clone(), set, &limits)
        }
        _ => Ok(()),
    }
}
