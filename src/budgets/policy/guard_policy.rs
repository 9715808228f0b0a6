//! What an operator has laid down: the data of a policy.

use super::defaults::Defaults;
use super::rule::Rule;
use crate::accounting::PriceTable;
use crate::budgets::allowances::{AgentAllowance, ModelQuota, RepoLimit};

/// What an operator has laid down.
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
    /// The rules by table: budgets, workflows with their steps, pools, limiters, tools; each in
    /// the order of the file.
    pub rules: Vec<Rule>,
    /// What applies where a rule says nothing else.
    pub defaults: Defaults,
    /// What models cost.
    pub prices: PriceTable,
    /// The names of the models in `prices`.
    pub priced: Vec<String>,
    /// What agents may do in a day. What is said of each holds for them too.
    pub allowances: Vec<AgentAllowance>,
    /// What all agents may use of a model. What is said of each holds for them too.
    pub model_quotas: Vec<ModelQuota>,
    /// What all agents may do in a repository. What is said of each holds for them too.
    pub repos: Vec<RepoLimit>,
    /// What each agent may do in a day: `agent = "*"`.
    pub each_agent: Option<AgentAllowance>,
    /// What all agents may use of each model: `model = "*"`.
    pub each_model: Option<ModelQuota>,
    /// What all agents may do in each repository: `repo = "*"`.
    pub each_repo: Option<RepoLimit>,
}

impl GuardPolicy {
    /// Whether it has budgets or workflows.
    pub fn has_budgets(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind.is_of_budgets())
    }

    /// Whether it limits no request at all.
    pub fn is_empty(&self) -> bool {
        let Self { rules, allowances, model_quotas, each_agent, each_model, .. } = self;
        let limits_no_calls = allowances.is_empty() && model_quotas.is_empty();
        rules.is_empty() && limits_no_calls && each_agent.is_none() && each_model.is_none()
    }
}
