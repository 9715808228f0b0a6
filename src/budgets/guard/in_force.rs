//! The policy in force.

use super::rule_group::RuleGroup;
use crate::budgets::policy::GuardPolicy;

/// The policy in force, and its rules in groups. A group keeps its number.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) policy: GuardPolicy,
    pub(super) groups: Vec<RuleGroup>,
}

impl InForce {
    pub(super) fn new(mut policy: GuardPolicy, known: &[RuleGroup]) -> Self {
        policy.rules.iter_mut().zip(0..).for_each(|(rule, place)| rule.place = place);
        let groups = RuleGroup::all(&policy, known);
        Self { policy, groups }
    }
}
