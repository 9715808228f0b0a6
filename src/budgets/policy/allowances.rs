//! Reads `[[allowance]]`, `[[model_quota]]` and `[[repo]]`: entries with a name, and entries for
//! each.

use super::guard_policy::{EACH, EntryPlace, GuardPolicy};
use super::names::{Whom, model, whom};
use super::node::Node;
use super::reader::{Location, Table};
use super::sections::each;
use crate::accounting::Invalid;
use crate::budgets::allowances::{AgentAllowance, ModelQuota, RepoLimit, allows_model};

pub(super) fn read_allowances(
    root: &mut Table<'_>,
    policy: &mut GuardPolicy,
) -> Result<(), Invalid> {
    let (mut agents, mut models, mut repos) = (Vec::new(), Vec::new(), Vec::new());
    each(root, ("allowance", "agent"), |table| allowance(table).map(|one| agents.push(one)))?;
    each(root, ("model_quota", "model"), |table| model_quota(table).map(|one| models.push(one)))?;
    each(root, ("repo", "repo"), |table| repo(table).map(|one| repos.push(one)))?;
    for (table, places) in
        [("allowance", places(&agents)), ("model_quota", places(&models)), ("repo", places(&repos))]
    {
        let entry = |(name, place)| EntryPlace { table, name, place };
        policy.entries.extend(places.into_iter().map(entry));
    }
    (policy.each_agent, policy.allowances) = both(agents)?;
    (policy.each_model, policy.model_quotas) = both(models)?;
    (policy.each_repo, policy.repos) = both(repos)?;
    Ok(())
}

/// The name of each entry, and its place in the policy.
fn places<S>(all: &[(Location, Whom, S)]) -> Vec<(String, u32)> {
    all.iter().map(|(place, whom, _)| (id(whom), place.order)).collect()
}

/// A setting that an entry with a name and an entry for each can have.
trait Said: Sized {
    /// The setting if both apply: each limit that either of them has.
    fn and(self, each: &Self, place: &Location) -> Result<Self, Invalid>;
}

/// The setting for each, and the settings with a name. For the latter both apply.
fn both<S: Said>(all: Vec<(Location, Whom, S)>) -> Result<(Option<S>, Vec<S>), Invalid> {
    let (mut each, mut named) = (None, Vec::new());
    for (place, whom, said) in all {
        match whom {
            Whom::Each => each = Some(said),
            Whom::One(_) => named.push((place, said)),
        }
    }
    let and = |(place, said): (Location, S)| match &each {
        Some(each) => said.and(each, &place),
        None => Ok(said),
    };
    let named = named.into_iter().map(and).collect::<Result<_, _>>()?;
    Ok((each, named))
}

/// The lower of two limits, where 0 means no limit.
fn lower<T: Ord + Default>(one: T, other: T) -> T {
    let none = T::default();
    if one == none || (other != none && other < one) { other } else { one }
}

impl Said for AgentAllowance {
    fn and(mut self, each: &Self, place: &Location) -> Result<Self, Invalid> {
        self.daily_token_limit = lower(self.daily_token_limit, each.daily_token_limit);
        self.daily_job_limit = lower(self.daily_job_limit, each.daily_job_limit);
        self.concurrent_jobs = lower(self.concurrent_jobs, each.concurrent_jobs);
        self.max_job_duration = lower(self.max_job_duration, each.max_job_duration);
        let models = &each.model_allowlist;
        if self.model_allowlist.is_empty() {
            self.model_allowlist.clone_from(models);
        } else if !models.is_empty() {
            let own = std::mem::take(&mut self.model_allowlist);
            let narrower = |model: &&String| allows_model(&own, model) && !own.contains(model);
            let kept = own.iter().filter(|model| allows_model(models, model));
            self.model_allowlist = kept.chain(models.iter().filter(narrower)).cloned().collect();
            if self.model_allowlist.is_empty() {
                let none = "must have a model in \"model_allowlist\" that agent = \"*\" has too: \
                            both apply, and nothing would be left";
                return Err(place.error(none));
            }
        }
        Ok(self)
    }
}

impl Said for ModelQuota {
    fn and(mut self, each: &Self, _: &Location) -> Result<Self, Invalid> {
        self.daily_token_budget = lower(self.daily_token_budget, each.daily_token_budget);
        self.hourly_rate_limit = lower(self.hourly_rate_limit, each.hourly_rate_limit);
        let ceiling = each.cost_ceiling_micros_usd;
        self.cost_ceiling_micros_usd = lower(self.cost_ceiling_micros_usd, ceiling);
        Ok(self)
    }
}

impl Said for RepoLimit {
    fn and(mut self, each: &Self, _: &Location) -> Result<Self, Invalid> {
        self.max_daily_prs = lower(self.max_daily_prs, each.max_daily_prs);
        self.max_daily_issues = lower(self.max_daily_issues, each.max_daily_issues);
        self.cooldown_after_failure = self.cooldown_after_failure.max(each.cooldown_after_failure);
        Ok(self)
    }
}

/// The name, or what stands for each.
fn id(whom: &Whom) -> String {
    match whom {
        Whom::Each => EACH.to_owned(),
        Whom::One(name) => name.clone(),
    }
}

type NamedSetting<S> = Result<(Location, Whom, S), Invalid>;

fn allowance(mut table: Table<'_>) -> NamedSetting<AgentAllowance> {
    let own = ["agent", "daily_token_limit", "daily_job_limit", "concurrent_jobs"];
    table.only(&[&own[..], &["max_job_duration", "model_allowlist"]].concat())?;
    let agent = table.need("agent", whom)?;
    let said = AgentAllowance {
        agent_id: id(&agent),
        daily_token_limit: amount(&mut table, "daily_token_limit", Location::whole)?,
        daily_job_limit: amount(&mut table, "daily_job_limit", Location::whole)?,
        concurrent_jobs: amount(&mut table, "concurrent_jobs", Location::whole)?,
        max_job_duration: table.read("max_job_duration", Location::duration)?.unwrap_or_default(),
        model_allowlist: table.read("model_allowlist", allowlist)?.unwrap_or_default(),
    };
    Ok((table.place, agent, said))
}

fn allowlist(place: &Location, node: &Node) -> Result<Vec<String>, Invalid> {
    let items = place.list(node)?;
    if items.is_empty() {
        return Err(place.error("must name a model; leave it out to allow all of them"));
    }
    let read = |item| {
        let place = place.inside("[]", item);
        model(&place, &place.id(item)?, "leave the list out to allow all models")
    };
    items.iter().map(read).collect()
}

fn model_quota(mut table: Table<'_>) -> NamedSetting<ModelQuota> {
    table.only(&["model", "daily_token_budget", "hourly_rate_limit", "cost_ceiling_usd"])?;
    let model = table.need("model", whom)?;
    let said = ModelQuota {
        model: id(&model),
        daily_token_budget: amount(&mut table, "daily_token_budget", Location::whole)?,
        hourly_rate_limit: amount(&mut table, "hourly_rate_limit", Location::whole)?,
        cost_ceiling_micros_usd: amount(&mut table, "cost_ceiling_usd", Location::usd)?,
    };
    Ok((table.place, model, said))
}

fn repo(mut table: Table<'_>) -> NamedSetting<RepoLimit> {
    table.only(&["repo", "max_daily_prs", "max_daily_issues", "cooldown_after_failure"])?;
    let repo = table.need("repo", whom)?;
    let cooldown = table.read("cooldown_after_failure", Location::duration)?;
    let said = RepoLimit {
        repo: id(&repo),
        max_daily_prs: amount(&mut table, "max_daily_prs", Location::whole)?,
        max_daily_issues: amount(&mut table, "max_daily_issues", Location::whole)?,
        cooldown_after_failure: cooldown.unwrap_or_default(),
    };
    Ok((table.place, repo, said))
}

/// A limit above 0. A missing limit is 0, which means no limit in the accounts.
fn amount<'a>(
    table: &mut Table<'a>,
    key: &str,
    read: impl FnOnce(&Location, &'a Node) -> Result<u64, Invalid>,
) -> Result<u64, Invalid> {
    let above_zero = |place: &Location, node| match read(place, node)? {
        0 => Err(place.error(
            "must be above 0: leave it out for no limit; to refuse all, write a [[budget]] with \
             this name in its scope and a limit of 0",
        )),
        more => Ok(more),
    };
    table.read(key, above_zero).map(Option::unwrap_or_default)
}
