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
    pub(super) fn new(policy: GuardPolicy, known: &[RuleGroup]) -> Self {
        let groups = RuleGroup::all(&policy, known);
        Self { policy, groups }
    }
}
