//! What the refusals of a counter say: which rule refused, for which label values.

use parking_lot::RwLock;

use super::values::Values;
use crate::accounting::Unit;
use crate::accounting::{Code, Denied, Key, Kind};
use crate::budgets::guard::rule_meter::{RuleMeter, RuleMeters};
use crate::budgets::policy::RuleKind;
use crate::ledger::{MeterIndex, Naming};

/// The rules of the meters and the label values of a counter. It adds to a refusal which rule
/// refused.
pub(super) struct Named {
    pub(super) meters: RwLock<RuleMeters>,
    pub(super) values: Values,
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
        denied.reason = None;
        denied.reason = Some(format!("{}: {}", denied.message(), rule.name));
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        denied.scope = match rule.name.split_once(".step.") {
            Some((workflow, step)) if rule.kind == RuleKind::Step => {
                vec![label(RuleKind::Workflow.name(), workflow), label("step", step)]
            }
            _ => vec![label(rule.kind.name(), &rule.name)],
        };
        denied.scope.extend(self.values.pairs());
        // Values come last: they say which counter of the rule it was.
        let label = if denied.code == Code::WorkflowQuotaExceeded { "workflow" } else { "agent" };
        let id = denied.scope.iter().rev().find(|(name, _)| name == label);
        denied.id = id.and_then(|(_, value)| Key::parse(label, value).ok());
    }

    fn rule(&self, meter: MeterIndex) -> Option<Key> {
        let rule_meters = self.meters.read();
        rule_meters.get(usize::from(meter)).and_then(|m| Key::parse("name", &m.rule.name).ok())
    }
}
