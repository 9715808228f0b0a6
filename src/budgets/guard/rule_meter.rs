//! The meters of a counter: the rule and the unit that each of them counts.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::accounting::Unit;
use crate::budgets::policy::{Rule, RuleKind};

/// The rule and the unit of one meter.
#[derive(Clone)]
pub(super) struct RuleMeter {
    pub(super) rule: Arc<Rule>,
    pub(super) unit: Unit,
    /// Whether the rule is in force. If not, its counts are kept.
    pub(super) in_force: bool,
}

/// The rules and units of the meters of a counter, by number. Counters of a group share them.
pub(super) type RuleMeters = Arc<[RuleMeter]>;

/// The units that a rule counts, limited or not.
pub(super) fn units_of(rule: &Rule) -> SmallVec<[Unit; 4]> {
    // An allotment reports the usage of each at its end.
    let always: &[Unit] = match rule.kind {
        RuleKind::Allotment => &[Unit::Tokens, Unit::Cost, Unit::Calls],
        _ => &[],
    };
    let mut units = SmallVec::from_slice(always);
    for limit in &rule.limits {
        if !units.contains(&limit.unit) {
            units.push(limit.unit);
        }
    }
    units
}

/// The meters of a new counter of these rules.
pub(super) fn rule_meters_of(rules: &[Arc<Rule>]) -> RuleMeters {
    let meters = rules.iter().flat_map(|rule| {
        let meter = |unit| RuleMeter { rule: Arc::clone(rule), unit, in_force: true };
        units_of(rule).into_iter().map(meter)
    });
    meters.collect()
}

impl std::fmt::Debug for RuleMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RuleMeter").field(&self.rule.name).field(&self.unit).finish()
    }
}
