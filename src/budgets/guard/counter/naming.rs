//! What the refusals of a counter say: which rule refused, for which label values.

use std::any::Any;
use std::sync::Arc;

use parking_lot::RwLock;

use super::values::Values;
use crate::accounting::{Code, Denied, Key, Kind, Subject, Unit};
use crate::budgets::guard::rule_meter::{RuleMeter, RuleMeters};
use crate::budgets::policy::{Pattern, Rule, RuleKind};
use crate::ledger::{EventRule, MeterIndex, Naming};

/// The rules of the meters and the label values of a counter. It adds to a refusal which rule
/// refused.
pub(super) struct Named {
    pub(super) meters: RwLock<RuleMeters>,
    pub(super) values: Values,
}

/// A counter of one of these alone says nothing of others.
const OWNERS: [&str; 4] = ["agent", "run", "workflow", "user"];

impl Named {
    /// Whether the counter is of one agent, run, workflow or user alone.
    fn is_of_one(&self, rule: &Rule) -> bool {
        let named = |(name, pattern): &(String, Pattern)| {
            OWNERS.contains(&name.as_str()) && matches!(pattern, Pattern::Exactly(_))
        };
        rule.kind == RuleKind::Allotment
            || self.values.names(&OWNERS)
            || rule.scope.0.iter().any(named)
    }
}

impl Naming for Named {
    fn name(&self, denied: &mut Denied, meter: MeterIndex) {
        let Some(RuleMeter { rule, unit, .. }) =
            self.meters.read().get(usize::from(meter)).cloned()
        else {
            return;
        };
        denied.code = match rule.kind.code() {
            Code::WorkflowQuotaExceeded if unit != Unit::Steps => Code::BudgetExceeded,
            code => code,
        };
        (denied.kind, denied.unit) = (Kind::of(denied.code, unit), unit);
        (denied.reason, denied.subject) = (None, Some(Subject::Rule(rule.name.clone())));
        (denied.show, denied.shared) = (rule.show, !self.is_of_one(&rule));
        denied.scope = refusal_scope(&rule, &self.values);
        // Values come last: they say which counter of the rule it was.
        let label = if denied.code == Code::WorkflowQuotaExceeded { "workflow" } else { "agent" };
        let id = denied.scope.iter().rev().find(|(name, _)| name == label);
        denied.id = id.and_then(|(_, value)| Key::parse(label, value).ok());
    }

    fn kept(self: Arc<Self>) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(self)
    }

    fn rule(&self, meter: MeterIndex) -> Option<EventRule> {
        let rule = self.rule_by(meter)?;
        let name = Key::parse("name", &rule.name).ok()?;
        let values = self.values.pairs().into();
        Some(EventRule { name, kind: rule.kind.name(), values, place: rule.place })
    }

    fn warn_share(&self, meter: MeterIndex, mark: u8) -> Option<u64> {
        let mut shares = self.rule_by(meter)?.warn_at.clone();
        shares.sort_unstable();
        shares.get(usize::from(mark)).copied()
    }

    fn tells(&self) -> bool {
        !self.values.is_of_provider()
    }

    fn tells_denied(&self) -> bool {
        false
    }

    fn place(&self, meter: MeterIndex) -> Option<u32> {
        let rule_meters = self.meters.read();
        // A group may have no meter at all. It is of a guard all the same.
        Some(rule_meters.get(usize::from(meter)).map_or(u32::MAX, |m| m.rule.place))
    }
}

impl Named {
    fn rule_by(&self, meter: MeterIndex) -> Option<Arc<Rule>> {
        self.meters.read().get(usize::from(meter)).map(|found| Arc::clone(&found.rule))
    }
}

/// The scope of a refusal by a rule: its name, and the values of its counter.
pub(super) fn refusal_scope(rule: &Rule, values: &Values) -> Vec<(String, String)> {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut scope = match rule.step() {
        Some((workflow, step)) => {
            vec![label(RuleKind::Workflow.name(), &workflow), label("step", step)]
        }
        None => vec![label(rule.kind.name(), &rule.name)],
    };
    scope.extend(values.pairs());
    scope
}
