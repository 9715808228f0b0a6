//! What a rule is in a store, for the label values of one counter.

use std::sync::Arc;

use super::naming::Named;
use super::values::Values;
use crate::accounting::{Clock, Invalid, Meter, Unit};
use crate::budgets::policy::{GuardPolicy, Rule};
use crate::budgets::stored::check_most;
use crate::ledger::{Account, Error};
use crate::store::{LimitName, Store};

/// A rule by what it counts: its table, name, window and scope, and the values of its labels.
pub(super) struct StoredRule {
    window: String,
    scope: String,
    values: Vec<(String, String)>,
}

impl StoredRule {
    fn of(rule: &Rule, values: &Values) -> Self {
        let patterns = rule.scope.0.iter();
        let patterns: Vec<String> = patterns.map(|(name, of)| format!("{name}={of}")).collect();
        let (window, scope) = (rule.span.to_string(), patterns.join(", "));
        Self { window, scope, values: values.pairs() }
    }

    fn parts<'a>(&'a self, rule: &Rule) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("kind", rule.kind.name()),
            ("window", self.window.as_str()),
            ("scope", self.scope.as_str()),
        ];
        own.into_iter().chain(self.values.iter().map(|(name, of)| (&**name, &**of))).collect()
    }
}

/// A meter of a rule, which counts in the store if there is one.
pub(super) fn meter(
    store: Option<&Arc<Store>>,
    (rule, unit): (&Rule, Unit),
    values: &Values,
    clock: &Clock,
) -> Result<Meter, Invalid> {
    let meter = Meter::new(rule.limit(unit), rule.span.window(clock)?);
    let Some(store) = store else { return Ok(meter) };
    let stored = StoredRule::of(rule, values);
    let parts = stored.parts(rule);
    let name = LimitName { class: "Guard", id: &rule.name, unit: unit.name(), parts: &parts };
    let limit = match rule.on_down {
        Some(on_down) => store.limit_on_down(&name, on_down),
        None => store.limit(&name),
    };
    Ok(meter.shared(limit))
}

/// The account of a rule for these values, and its naming: those that this process has already, or
/// those that `make` makes.
pub(super) fn account(
    store: &Store,
    rule: &Rule,
    named: Arc<Named>,
    make: impl FnOnce(&Arc<Named>) -> Arc<Account>,
) -> Result<(Arc<Account>, Arc<Named>), Error> {
    let stored = StoredRule::of(rule, &named.values);
    let parts = stored.parts(rule);
    // Whatever units it counts: they may change.
    let key = LimitName { class: "Guard", id: &rule.name, unit: "", parts: &parts }.number();
    let account = store.account(key, || Ok(make(&named)))?;
    let known = account.identity().naming().and_then(|naming| naming.kept());
    let known = known.and_then(|known| known.downcast::<Named>().ok());
    Ok((account, known.unwrap_or(named)))
}

impl GuardPolicy {
    /// Refuses limits that a store does not keep.
    pub(in crate::budgets::guard) fn check_for(
        &self,
        store: Option<&Arc<Store>>,
    ) -> Result<(), Invalid> {
        for rule in &self.rules {
            for limit in &rule.limits {
                let what = format!("the limit of {:?} in {}", rule.name, limit.unit.name());
                check_most(store, &what, limit.max)?;
            }
        }
        Ok(())
    }
}
