//! Reads a policy table by table, and checks the tables against each other.

use std::collections::HashSet;

use super::allowances::read_allowances;
use super::defaults::Defaults;
use super::guard_policy::GuardPolicy;
use super::names::model;
use super::node::{Node, Value, from_json, from_toml};
use super::prices::{read_price, read_tool_price};
use super::reader::{Location, Table};
use super::rule::{Rule, RuleKind};
use super::sections::read_rules;
use crate::accounting::Invalid;

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

impl GuardPolicy {
    /// Reads a policy from TOML: a policy file, or a `pyproject.toml` with `[tool.outlay]`. Errors
    /// name `file`.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Invalid> {
        let root = from_toml(file, text)?;
        match tool_table(&root) {
            Some(own) => read(&Location::root(file).inside("tool.outlay", own), own),
            None if is_pyproject(file) => {
                Err(Location::root(file).error("there is no [tool.outlay] in it"))
            }
            None => read(&Location::root(file), &root),
        }
    }

    /// The tables of a policy file as JSON, without a check of what they say.
    pub fn tables(file: &str, text: &str) -> Result<String, Invalid> {
        let root = from_toml(file, text)?;
        Ok(tool_table(&root).unwrap_or(&root).to_json().to_string())
    }

    /// Reads a policy from JSON, the form in which a dict arrives.
    pub fn from_json(json: &str) -> Result<Self, Invalid> {
        let place = Location::root("policy");
        let value = serde_json::from_str(json).map_err(|error| place.error(&error.to_string()))?;
        read(&place, &from_json(&value))
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

fn read(place: &Location, node: &Node) -> Result<GuardPolicy, Invalid> {
    let mut table = place.table(node)?;
    table.only(&KEYS)?;
    check_version(&mut table)?;
    let defaults = Defaults::read(&mut table)?;
    let mut policy = GuardPolicy { defaults, ..GuardPolicy::default() };
    read_rules(&mut table, &mut policy)?;
    read_allowances(&mut table, &mut policy)?;
    read_prices(&mut table, &mut policy)?;
    policy.number_places();
    let mut names = HashSet::new();
    let several = |rule: &&Rule| matches!(rule.kind, RuleKind::Step | RuleKind::Limiter);
    for rule in policy.rules.iter().filter(several) {
        // A limiter has one rule for each of its periods.
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
    for (name, place, node) in place.table(node)?.remaining_entries() {
        let instead = "[defaults] fallback_price is the price of all others";
        let name = model(&place, name, instead)?;
        let price = if name.starts_with("tool:") { read_tool_price } else { read_price };
        policy.prices.set(&name, price(&place, node)?);
        policy.priced.push(name);
    }
    Ok(())
}
