//! Reports of a guard: which limits apply, and how full they are.

use std::time::Duration;

use super::counter::Counter;
use super::rule_meter::RuleMeter;
use super::state::Guard;
use crate::accounting::{Meter, Unit};
use crate::budgets::policy::{Labels, Rule, unit_word};
use crate::ledger::{Error, Heritable};

/// The figures of one unit of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The word of the unit in a policy.
    pub unit: &'static str,
    /// The limit, or `None` if it is only counted.
    pub limit: Option<u64>,
    /// What was charged in the window.
    pub used: u64,
    /// What open leases hold.
    pub reserved: u64,
    /// What is left, or `None` if nothing limits it.
    pub remaining: Option<u64>,
    /// The amount of the limit that is kept back.
    pub kept_back: u64,
}

/// A rule, or a rule for some label values, and its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The rule's name.
    pub name: String,
    /// The name of its table.
    pub kind: &'static str,
    /// The requests that it matches.
    pub scope: Vec<(String, String)>,
    /// The labels that distinguish it from the other counters of the rule.
    pub values: Vec<(String, String)>,
    /// The window in which it counts.
    pub window: String,
    /// What happens at the limit.
    pub mode: &'static str,
    /// What a model that is refused reads of names and totals.
    pub show: &'static str,
    /// Its place in the policy.
    pub place: u32,
    /// The time until the next window, `None` where none will come.
    pub resets_in: Option<Duration>,
    /// How long requests may wait for it.
    pub wait: Option<Duration>,
    /// Its figures, one for each unit.
    pub figures: Vec<Figures>,
}

impl Guard {
    /// The rules that apply to a request with these labels, in the order of the policy.
    pub fn explain(&self, labels: &Labels<'_>) -> Result<Vec<Explained>, Error> {
        let guard = self.here()?;
        guard.ends.run(guard.core.clock());
        let mut all = Vec::new();
        for asked in &guard.matched(labels)?.asked {
            all.extend(explained(&asked.counter)?);
        }
        all.sort_by_key(|found| found.place);
        Ok(all)
    }

    /// The counts of all rules, for all label values of which something counts. Forgets the others.
    /// They come in the order of the policy, and those of one rule in the order of the values.
    pub fn snapshot(&self) -> Result<Vec<Explained>, Error> {
        let guard = self.here()?;
        guard.ends.run(guard.core.clock());
        guard.forget_all();
        let shown = guard.counters.iter().filter(|entry| !entry.key().1.is_of_provider());
        let counters: Vec<_> = shown.map(|entry| entry.value().clone()).collect();
        let mut all = Vec::new();
        for counter in &counters {
            all.extend(explained(counter)?);
        }
        all.sort_by(|a, b| (a.place, &a.values).cmp(&(b.place, &b.values)));
        Ok(all)
    }
}

/// The reports of a counter, one for each of its rules.
fn explained(counter: &Counter) -> Result<Vec<Explained>, Error> {
    let rule_meters = counter.rule_meters();
    counter.account.read(|meters, now| {
        let mut all: Vec<Explained> = Vec::new();
        for (meter, RuleMeter { rule, in_force, .. }) in meters.iter().zip(rule_meters.iter()) {
            if !in_force {
                continue;
            }
            let figures = figures(meter, rule);
            match all.last_mut().filter(|last| last.name == rule.name && last.is_of(rule)) {
                Some(same) => same.figures.push(figures),
                None => all.push(Explained {
                    name: rule.name.clone(),
                    kind: rule.kind.name(),
                    scope: rule.scope.0.iter().map(|(n, p)| (n.clone(), p.to_string())).collect(),
                    values: counter.values(),
                    window: rule.span.to_string(),
                    mode: rule.mode.name(),
                    show: rule.show.name(),
                    place: rule.place,
                    resets_in: meter.resets_in(now),
                    wait: rule.wait,
                    figures: vec![figures],
                }),
            }
        }
        all
    })
}

impl Explained {
    fn is_of(&self, rule: &Rule) -> bool {
        self.kind == rule.kind.name() && self.window == rule.span.to_string()
    }
}

fn figures(meter: &Meter, rule: &Rule) -> Figures {
    let unit: Unit = meter.unit();
    let kept_back = rule.limits.iter().find(|limit| limit.unit == unit);
    Figures {
        unit: unit_word(unit),
        limit: meter.limit_now(),
        used: meter.used(),
        reserved: meter.reserved(),
        remaining: meter.remaining(),
        kept_back: kept_back.map_or(0, |limit| limit.kept_back),
    }
}
