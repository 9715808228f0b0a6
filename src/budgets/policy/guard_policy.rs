//! The data of a policy: the rules and defaults that an operator has written.

use super::defaults::Defaults;
use super::rule::Rule;
use crate::accounting::PriceTable;
use crate::budgets::allowances::{AgentAllowance, ModelQuota, RepoLimit};

/// The id that stands for all, in settings that need one id.
pub(super) const EACH: &str = "*";

/// The policy of an operator.
///
/// ```
/// use outlay::GuardPolicy;
/// let policy = GuardPolicy::from_toml("policy.toml", r#"
///     [[budget]]
///     name = "per-agent-day"
///     scope = { agent = "*" }
///     limit = { usd = "20.00", calls = 2_000 }
///     window = "calendar:day"
/// "#)?;
/// assert_eq!(policy.rules[0].name, "per-agent-day");
/// let error = GuardPolicy::from_toml("policy.toml", "[[budgets]]").unwrap_err();
/// assert!(error.message.starts_with("policy.toml:1: budgets: unknown key"));
/// # Ok::<(), outlay::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct GuardPolicy {
    /// The rules, in the order of the file. The steps of a workflow come before it.
    pub rules: Vec<Rule>,
    /// The settings of rules that say nothing else.
    pub defaults: Defaults,
    /// What models cost.
    pub prices: PriceTable,
    /// The names of the models in `prices`.
    pub priced: Vec<String>,
    /// What single agents may do in a day. The limits of `each_agent` are merged into them.
    pub allowances: Vec<AgentAllowance>,
    /// What all agents may use of single models. The limits of `each_model` are merged into them.
    pub model_quotas: Vec<ModelQuota>,
    /// What all agents may do in single repositories. The limits of `each_repo` are merged into
    /// them.
    pub repos: Vec<RepoLimit>,
    /// What each agent may do in a day: `agent = "*"`.
    pub each_agent: Option<AgentAllowance>,
    /// What all agents may use of each model: `model = "*"`.
    pub each_model: Option<ModelQuota>,
    /// What all agents may do in each repository: `repo = "*"`.
    pub each_repo: Option<RepoLimit>,
    /// Where the allowances, quotas and repositories stand.
    pub entries: Vec<EntryPlace>,
}

/// The place of an allowance, a quota or a repository in the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPlace {
    /// The name of its table.
    pub table: &'static str,
    /// The agent, model or repository, or `"*"`.
    pub name: String,
    /// A number that grows from the beginning of the policy to its end.
    pub place: u32,
}

impl GuardPolicy {
    /// Whether it has budgets or workflows.
    pub fn has_budgets(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind.is_of_budgets())
    }

    /// The place of the limits of that name: its own entry, or the entry for each.
    pub fn place(&self, table: &str, name: &str) -> u32 {
        let of = |name: &str| {
            let entry =
                self.entries.iter().find(|entry| entry.table == table && entry.name == name);
            entry.map(|entry| entry.place)
        };
        of(name).or_else(|| of(EACH)).unwrap_or(u32::MAX)
    }

    /// Numbers the places from 0 on, so that they are the same in every form of a policy.
    pub(super) fn number_places(&mut self) {
        let rules = self.rules.iter_mut().map(|rule| &mut rule.place);
        let mut places: Vec<&mut u32> =
            rules.chain(self.entries.iter_mut().map(|entry| &mut entry.place)).collect();
        // Stable: the rules of one entry stay in their order. Each has a number of its own, by which
        // events tell them apart.
        places.sort_by_key(|place| **place);
        places.into_iter().zip(0..).for_each(|(place, number)| *place = number);
    }

    /// Whether it limits no request at all.
    pub fn is_empty(&self) -> bool {
        let Self { rules, allowances, model_quotas, each_agent, each_model, .. } = self;
        let limits_no_calls = allowances.is_empty() && model_quotas.is_empty();
        rules.is_empty() && limits_no_calls && each_agent.is_none() && each_model.is_none()
    }
}
