//! The policy in force, and the prices of its models.

use std::sync::Arc;

use crate::accounting::{Price, PriceTable, model_names};
use crate::budgets::guard::counter::CounterKey;
use crate::budgets::guard::rule_group::{RULES, RuleGroup};
use crate::budgets::policy::GuardPolicy;

/// The policy in force, and its rules in groups. A group keeps its number.
#[derive(Debug)]
pub(in crate::budgets::guard) struct InForce {
    pub(in crate::budgets::guard) policy: GuardPolicy,
    pub(in crate::budgets::guard) groups: Vec<RuleGroup>,
}

impl InForce {
    /// The rules of a guard whose counts are `stored` have an account each.
    pub(in crate::budgets::guard) fn new(
        policy: GuardPolicy,
        known: &[RuleGroup],
        stored: bool,
    ) -> Self {
        let groups = RuleGroup::all(&policy, known, if stored { 1 } else { RULES });
        Self { policy, groups }
    }

    /// The group of a counter.
    pub(in crate::budgets::guard) fn group_of(
        &self,
        (number, values): &CounterKey,
    ) -> Option<&RuleGroup> {
        let group = self.groups.get(*number as usize)?;
        if values.is_of_provider() { group.provider_group() } else { Some(group) }
    }
}

/// The prices of models: those of the policy, and those that the resolver has found.
pub(in crate::budgets::guard) struct Prices {
    policy: PriceTable,
    /// By the exact name that was asked for, because another version may cost something else.
    pub(in crate::budgets::guard) resolved: PriceTable,
}

impl Prices {
    pub(in crate::budgets::guard) fn new(policy: &GuardPolicy) -> Self {
        Self { policy: policy.prices.clone(), resolved: PriceTable::default() }
    }

    /// The price of a model at a provider, under the closest of its names.
    pub(in crate::budgets::guard) fn get(
        &self,
        model: &str,
        provider: Option<&str>,
    ) -> Option<&Arc<Price>> {
        let known = model_names(model).find_map(|name| exactly(&self.policy, name, provider));
        known.or_else(|| exactly(&self.resolved, model, provider))
    }

    /// The price of a call of a tool.
    pub(in crate::budgets::guard) fn tool(&self, tool: &str) -> Option<&Arc<Price>> {
        self.policy.exactly(&format!("tool:{tool}"))
    }
}

/// The price of that name at a provider, or of that name.
fn exactly<'a>(
    prices: &'a PriceTable,
    name: &str,
    provider: Option<&str>,
) -> Option<&'a Arc<Price>> {
    let own = provider.and_then(|provider| prices.exactly(&format!("{provider}:{name}")));
    own.or_else(|| prices.exactly(name))
}
