//! The policy of a guard: an operator's rules, out of a TOML file, `[tool.outlay]` or a dict.
//!
//! All rules that match a request apply to it. Whatever is unknown or impossible is refused, with
//! the file, the line and what is allowed.

mod allowances;
mod defaults;
mod names;
mod node;
mod reader;
pub mod rule;
pub mod scope;
mod sections;
mod words;

use std::collections::HashSet;

pub use defaults::{Defaults, EstimateMode, UnknownPrice};
pub use rule::{Mode, Rule, RuleKind, RuleLimit, Span};
pub use scope::{Labels, Pattern, Scope};
pub(crate) use words::unit_word;

use self::node::{Node, Value};
use self::reader::{Place, Table};
use super::allowance::{AgentAllowance, ModelQuota, RepoLimit};
use crate::accounting::{Invalid, Price, PriceTable};

const KEYS: [&str; 12] = [
    "version",
    "store",
    "defaults",
    "budget",
    "workflow",
    "pool",
    "limiter",
    "tool",
    "prices",
    "allowance",
    "model_quota",
    "repo",
];

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
    /// Reads a policy out of TOML: a policy file, or a `pyproject.toml` with `[tool.outlay]`.
    /// `file` is named in errors.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Invalid> {
        let root = node::from_toml(file, text)?;
        match tool_table(&root) {
            Some(own) => read(&Place::root(file).inside("tool.outlay", own), own),
            None if is_pyproject(file) => {
                Err(Place::root(file).error("there is no [tool.outlay] in it"))
            }
            None => read(&Place::root(file), &root),
        }
    }

    /// Reads a policy out of JSON, as which a dict comes.
    pub fn from_json(json: &str) -> Result<Self, Invalid> {
        let place = Place::root("policy");
        let value = serde_json::from_str(json).map_err(|error| place.error(&error.to_string()))?;
        read(&place, &node::from_json(&value))
    }
}

fn is_pyproject(file: &str) -> bool {
    file.rsplit(['/', '\\']).next() == Some("pyproject.toml")
}

/// The table `[tool.outlay]`.
fn tool_table(root: &Node) -> Option<&Node> {
    entry(entry(root, "tool")?, "outlay")
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Value::Table(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
}

impl GuardPolicy {
    /// Whether it has budgets or workflows.
    pub fn has_budgets(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind.is_of_budgets())
    }

    /// Whether it limits no request at all.
    pub fn is_empty(&self) -> bool {
        let Self { rules, allowances, model_quotas, each_agent, each_model, .. } = self;
        let of_calls = allowances.is_empty() && model_quotas.is_empty();
        rules.is_empty() && of_calls && each_agent.is_none() && each_model.is_none()
    }
}

fn read(place: &Place, node: &Node) -> Result<GuardPolicy, Invalid> {
    let mut table = place.table(node)?;
    table.only(&KEYS)?;
    check_version(&mut table)?;
    let defaults = Defaults::read(&mut table)?;
    let mut policy = GuardPolicy { defaults, ..GuardPolicy::default() };
    sections::read(&mut table, &mut policy)?;
    allowances::read(&mut table, &mut policy)?;
    read_prices(&mut table, &mut policy)?;
    let mut names = HashSet::new();
    let several = |rule: &&Rule| matches!(rule.kind, RuleKind::Step | RuleKind::Limiter);
    for rule in policy.rules.iter().filter(several) {
        // A limiter is a rule for each of its periods.
        let period = (rule.kind == RuleKind::Limiter).then_some(&rule.span);
        if !names.insert((rule.kind, &rule.name, period)) {
            let twice = format!("two {} entries are named {:?}", rule.kind.name(), rule.name);
            return Err(place.error(&twice));
        }
    }
    Ok(policy)
}

fn check_version(table: &mut Table<'_>) -> Result<(), Invalid> {
    table
        .read("version", |place, node| match place.whole(node)? {
            1 => Ok(()),
            other => Err(place.error(&format!("must be 1, not {other}"))),
        })
        .map(|_| ())
}

fn read_prices(table: &mut Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    let Some((place, node)) = table.take("prices") else { return Ok(()) };
    for (model, place, node) in place.table(node)?.rest() {
        let instead = "[defaults] fallback_price is the price of all others";
        let model = names::model(&place, model, instead)?;
        policy.prices.set(&model, read_price(&place, node)?);
        policy.priced.push(model);
    }
    Ok(())
}

/// USD per million tokens by kind, and the tiers of long prompts.
fn read_price(place: &Place, node: &Node) -> Result<Price, Invalid> {
    let mut table = place.table(node)?;
    let tiers = table.take("tiers");
    let rates = read_rates(&mut table)?;
    let at = |place: &Place, bad: Invalid| place.error(&bad.message);
    let mut price = Price::parse("it", pairs(&rates)).map_err(|bad| at(place, bad))?;
    if let Some((place, node)) = tiers {
        for (index, tier) in place.list(node)?.iter().enumerate() {
            let mut table = place.inside(&format!("[{index}]"), tier).table(tier)?;
            let above = table.need("above_input_tokens", Place::whole)?;
            let rates = read_rates(&mut table)?;
            let added = price.add_tier("it", above, pairs(&rates));
            added.map_err(|bad| at(&table.place, bad))?;
        }
    }
    Ok(price)
}

fn read_rates<'a>(table: &mut Table<'a>) -> Result<Vec<(&'a str, &'a str)>, Invalid> {
    table.rest().into_iter().map(|(key, place, node)| Ok((key, place.text(node)?))).collect()
}

fn pairs<'a>(rates: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    rates.iter().copied()
}
