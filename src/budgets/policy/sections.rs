//! Reads the lists of rules of a policy: budgets, workflows, pools, limiters, tools.

use std::collections::HashSet;
use std::time::Duration;

use super::defaults::Defaults;
use super::guard_policy::GuardPolicy;
use super::names::{label_name, pattern, plain};
use super::node::{Node, Value};
use super::reader::{Location, Table};
use super::rule::{Rule, RuleKind, RuleLimit, Span};
use super::scope::{Pattern, Scope};
use super::store::on_down;
use super::words::{MODES, SHOWN, UNITS, checked_zone, keep_back, limits, shares, span};
use crate::accounting::{Invalid, Key, Unit};

const WORKFLOW_UNITS: [(&str, Unit); 5] = [
    ("usd", Unit::Cost),
    ("tokens", Unit::Tokens),
    ("calls", Unit::Calls),
    ("steps", Unit::Steps),
    ("tool_calls", Unit::ToolCalls),
];
const RATES: [(&str, Unit); 4] = [
    ("tokens", Unit::Tokens),
    ("input_tokens", Unit::InputTokens),
    ("output_tokens", Unit::OutputTokens),
    ("requests", Unit::Calls),
];
const PERIODS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];

pub(super) fn read_rules(root: &mut Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    each(root, ("budget", "name"), |table| budget(table, policy))?;
    each(root, ("workflow", "name"), |table| workflow(table, policy))?;
    each(root, ("pool", "name"), |table| pool(table, policy))?;
    each(root, ("limiter", "name"), |table| limiter(table, policy))?;
    each(root, ("tool", "name"), |table| tool(table, policy))?;
    // By the order of the policy. The rules of one entry stay as they are.
    policy.rules.sort_by_key(|rule| rule.place);
    Ok(())
}

/// Reads every table of a list. The values of the key `by` must differ, except in limiters, where
/// each period is a rule.
pub(super) fn each(
    root: &mut Table<'_>,
    (key, by): (&str, &str),
    mut read: impl FnMut(Table<'_>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let Some((place, node)) = root.take(key) else { return Ok(()) };
    let mut names = HashSet::new();
    for (index, item) in place.list(node)?.iter().enumerate() {
        let mut table = place.inside(&format!("[{index}]"), item).table(item)?;
        let own = table.take(by);
        let place = table.place.clone();
        read(table)?;
        if let Some((_, Node { value: Value::Text(name), .. })) = own
            && !names.insert(name)
            && key != "limiter"
        {
            return Err(place.error(&format!("two {key} entries are named {name:?}")));
        }
    }
    Ok(())
}

/// A name that only appears in reports.
fn name(place: &Location, node: &Node) -> Result<String, Invalid> {
    match place.id(node)?.as_str() {
        "*" => Err(place.error("must be a name: for a counter of each value, write a scope")),
        name => Ok(name.to_owned()),
    }
}

/// Reads what most rules have: a name, a scope, a mode, warning marks, a window.
fn common(
    table: &mut Table<'_>,
    kind: RuleKind,
    unless: &Span,
    defaults: &Defaults,
) -> Result<Rule, Invalid> {
    let name = table.need("name", |place, node| match kind {
        // It is also a label of the requests that it matches.
        RuleKind::Workflow | RuleKind::Tool => Ok(pattern(place, node)?.0),
        _ => name(place, node),
    })?;
    let scope = table.read("scope", scope)?.unwrap_or_default();
    let mode = table.read("mode", |place, node| place.word(node, &MODES))?;
    let warn_at = table.read("warn_at", shares)?;
    let show = table.read("show", |place, node| place.word(node, &SHOWN))?;
    let on_down = table.read("on_down", on_down)?;
    let zone = table.read("timezone", |place, node| {
        checked_zone(place, place.text(node)?).map(str::to_owned)
    })?;
    let zone = zone.unwrap_or_else(|| defaults.zone.clone());
    let window = table.read("window", |place, node| span(place, node, &zone))?;
    Ok(Rule {
        name,
        kind,
        scope,
        limits: Vec::new(),
        span: window.unwrap_or_else(|| unless.clone()),
        mode: mode.unwrap_or(defaults.mode),
        warn_at: warn_at.unwrap_or_else(|| defaults.warn_at.clone()),
        wait: None,
        adaptive: false,
        show: show.unwrap_or(defaults.show),
        on_down,
        place: table.place.order,
    })
}

const BUDGET: [&str; 10] = [
    "name", "scope", "limit", "window", "timezone", "mode", "warn_at", "show", "on_down", "landing",
];

fn budget(mut table: Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    table.only(&BUDGET)?;
    let mut rule = common(&mut table, RuleKind::Budget, &Span::Lifetime, &policy.defaults)?;
    rule.limits = table.need("limit", |place, node| limits(place, node, &UNITS))?;
    table.read("landing", |place, node| keep_back(place, node, &mut rule.limits))?;
    policy.rules.push(rule);
    Ok(())
}

const WORKFLOW: [&str; 10] =
    ["name", "scope", "limit", "window", "timezone", "mode", "warn_at", "show", "on_down", "step"];

fn workflow(mut table: Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    table.only(&WORKFLOW)?;
    let mut rule = common(&mut table, RuleKind::Workflow, &Span::Run, &policy.defaults)?;
    let place = table.place.clone();
    let at = |bad: Invalid| place.error(&bad.message);
    rule.scope.add("workflow", Pattern::parse(&rule.name)).map_err(at)?;
    let steps = table.take("step");
    let limit = table.read("limit", |place, node| limits(place, node, &WORKFLOW_UNITS))?;
    if limit.is_none() && steps.is_none() {
        return Err(place.error("limits nothing; give \"limit\" or \"step\""));
    }
    rule.limits = limit.unwrap_or_default();
    if let Some((place, node)) = steps {
        for (step, place, node) in place.table(node)?.remaining_entries() {
            let mut scope = rule.scope.clone();
            let step = plain(&place, step)?;
            let pattern = if step == "default" { "*" } else { &step };
            let at = |bad: Invalid| place.error(&bad.message);
            scope.add("step", Pattern::parse(pattern)).map_err(at)?;
            let name = format!("{}.step.{step}", rule.name);
            Key::check("the name of the workflow and the step", &name).map_err(at)?;
            policy.rules.push(Rule {
                name,
                kind: RuleKind::Step,
                scope,
                limits: limits(&place, node, &WORKFLOW_UNITS[..3])?,
                span: Span::Run,
                ..rule.clone()
            });
        }
    }
    policy.rules.push(rule);
    Ok(())
}

const POOL: [&str; 12] = [
    "name",
    "scope",
    "limit",
    "window",
    "timezone",
    "mode",
    "warn_at",
    "show",
    "on_down",
    "max_concurrent",
    "stop_threshold",
    "on_limit",
];

fn pool(mut table: Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    table.only(&POOL)?;
    let mut rule = common(&mut table, RuleKind::Pool, &Span::Lifetime, &policy.defaults)?;
    let slots = table.read("max_concurrent", Location::whole)?;
    let limit = table.read("limit", |place, node| limits(place, node, &UNITS))?;
    rule.wait = table.read("on_limit", on_limit)?.flatten();
    if slots.is_none() && limit.is_none() {
        return Err(table.place.error("limits nothing; give \"max_concurrent\" or \"limit\""));
    }
    rule.limits = limit.unwrap_or_default();
    table.read("stop_threshold", |place, node| keep_back(place, node, &mut rule.limits))?;
    if let Some(slots) = slots {
        let limits = vec![RuleLimit { unit: Unit::Slots, max: Some(slots), kept_back: 0 }];
        policy.rules.push(Rule {
            kind: RuleKind::Slots,
            limits,
            span: Span::Gauge,
            ..rule.clone()
        });
    }
    if !rule.limits.is_empty() {
        policy.rules.push(rule);
    }
    Ok(())
}

fn limiter(mut table: Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    let rates = rate_words();
    let own = ["name", "scope", "mode", "warn_at", "show", "on_down", "on_limit", "adaptive"];
    let words = own.into_iter().chain(rates.iter().map(|(word, ..)| word.as_str()));
    table.only(&words.collect::<Vec<_>>())?;
    let mut rule = common(&mut table, RuleKind::Limiter, &Span::Lifetime, &policy.defaults)?;
    rule.wait = table.read("on_limit", on_limit)?.flatten();
    let adaptive = [("headers", true)];
    let adaptive = table.read("adaptive", |place, node| place.word(node, &adaptive))?;
    rule.adaptive = adaptive.unwrap_or(false);
    let before = policy.rules.len();
    for (_, seconds) in PERIODS {
        let mut limits = Vec::new();
        for (word, unit, _) in rates.iter().filter(|(.., period)| *period == seconds) {
            let max = table.read(word, Location::whole)?;
            limits.extend(max.map(|max| RuleLimit { unit: *unit, max: Some(max), kept_back: 0 }));
        }
        if !limits.is_empty() {
            let span = Span::Rolling(Duration::from_secs(seconds));
            policy.rules.push(Rule { limits, span, ..rule.clone() });
        }
    }
    if policy.rules.len() > before {
        return Ok(());
    }
    let words: Vec<&str> = rates.iter().map(|(word, ..)| word.as_str()).collect();
    Err(table.place.error(&format!("limits nothing; give one of {}", words.join(", "))))
}

/// `tokens_per_minute` and the like: the word, the unit, and the seconds of the period.
fn rate_words() -> Vec<(String, Unit, u64)> {
    let words = PERIODS.iter().flat_map(|(period, seconds)| {
        let word =
            move |(what, unit): &(&str, Unit)| (format!("{what}_per_{period}"), *unit, *seconds);
        RATES.iter().map(word)
    });
    words.collect()
}

const TOOL: [&str; 9] =
    ["name", "scope", "limit", "window", "timezone", "mode", "warn_at", "show", "on_down"];

fn tool(mut table: Table<'_>, policy: &mut GuardPolicy) -> Result<(), Invalid> {
    table.only(&TOOL)?;
    let mut rule = common(&mut table, RuleKind::Tool, &Span::Lifetime, &policy.defaults)?;
    let place = table.place.clone();
    let pattern = Pattern::parse(&rule.name);
    rule.scope.add("tool", pattern).map_err(|bad| place.error(&bad.message))?;
    rule.limits = table.need("limit", |place, node| limits(place, node, &UNITS[7..8]))?;
    policy.rules.push(rule);
    Ok(())
}

fn scope(place: &Location, node: &Node) -> Result<Scope, Invalid> {
    let mut scope = Scope::default();
    for (label, place, node) in place.table(node)?.remaining_entries() {
        let label = label_name(&place, label)?;
        let (_, pattern) = pattern(&place, node)?;
        scope.add(&label, pattern).map_err(|bad| place.error(&bad.message))?;
    }
    Ok(scope)
}

/// `"deny"`, or `{ wait = "30s" }`.
fn on_limit(place: &Location, node: &Node) -> Result<Option<Duration>, Invalid> {
    if matches!(node.value, Value::Text(_)) {
        return place.word(node, &[("deny", ())]).map(|()| None);
    }
    let mut table = place.table(node)?;
    table.only(&["wait"])?;
    table.need("wait", Location::duration).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::rule::Mode;
    use super::*;

    #[test]
    fn a_rule_takes_the_mode_of_the_defaults() {
        let text = "[defaults]\nmode = \"shadow\"\n[[budget]]\nname = \"b\"\nlimit = {calls = 1}";
        let policy = GuardPolicy::from_toml("p", text).unwrap();
        assert_eq!(policy.rules[0].mode, Mode::Shadow);
    }
}
