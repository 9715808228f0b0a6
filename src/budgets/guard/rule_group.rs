//! Groups of rules that match the same requests and are always asked together.

use std::collections::HashMap;
use std::sync::Arc;

use super::rule_meter::{RuleMeters, rule_meters_of};
use crate::accounting::{Code, Unit};
use crate::budgets::policy::{
    GuardPolicy, Labels, Pattern, Rule, RuleKind, Scope, Span, is_tool_call, label,
};

/// The most rules that share an account. A byte numbers its meters, and each rule has at most nine.
pub(super) const RULES: usize = 16;
/// How many removed rules a group remembers, to recognize them when they come back.
const GONE: usize = 200;

/// The properties that rules of one account share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shared {
    scope: Scope,
    /// Each run, or each execution of a step, has its own counter.
    per_run: bool,
    per_step: bool,
    /// They ignore calls of tools, or calls of models.
    passes_tools: bool,
    passes_models: bool,
    /// Requests may wait for them.
    patient: bool,
    /// They have sliding windows. Their accounts read the precise clock, and nothing of them is set
    /// aside.
    slides: bool,
}

impl Shared {
    fn of(rule: &Rule) -> Self {
        let per_step = rule.kind == RuleKind::Step;
        Self {
            scope: rule.scope.clone(),
            per_run: rule.span == Span::Run || per_step,
            per_step,
            passes_tools: rule.kind.is_of_models() && !rule.scope.names("tool"),
            passes_models: rule.kind == RuleKind::Tool,
            patient: rule.wait.is_some(),
            slides: matches!(rule.span, Span::Rolling(_)),
        }
    }
}

/// Rules that are always asked together.
#[derive(Clone, Debug)]
pub(super) struct RuleGroup {
    shared: Shared,
    /// In the order of the policy.
    pub(super) rules: Vec<Arc<Rule>>,
    /// Rules that were in force before. Their counters still know what they have counted.
    gone: Vec<Arc<Rule>>,
    /// The meters of a new counter.
    pub(super) meters: RuleMeters,
    /// The rules of it that providers lower, for one model each.
    provider_group: Option<Box<Self>>,
}

impl RuleGroup {
    /// A group of one rule.
    pub(super) fn of(rule: Rule) -> Self {
        let (shared, rules) = (Shared::of(&rule), vec![Arc::new(rule)]);
        let meters = rule_meters_of(&rules);
        Self { shared, rules, gone: Vec::new(), meters, provider_group: None }
    }

    /// The rules of a policy in groups of at most `most` rules. The groups of `known` keep their numbers, even without
    /// rules. A rule that was in force before stays in the group where it has counted.
    pub(super) fn all(policy: &GuardPolicy, known: &[Self], most: usize) -> Vec<Self> {
        let mut homes = HashMap::new();
        let mut by_shared: HashMap<Shared, Vec<usize>> = HashMap::new();
        for (number, group) in known.iter().enumerate() {
            by_shared.entry(group.shared.clone()).or_default().push(number);
            homes.extend(group.gone.iter().map(|rule| (rule.counted(), number)));
        }
        // A rule in force comes before a removed one, if both are known.
        for (number, group) in known.iter().enumerate() {
            homes.extend(group.rules.iter().map(|rule| (rule.counted(), number)));
        }
        let mut groups: Vec<Self> = known.iter().map(Self::emptied).collect();
        let mut places = vec![None; policy.rules.len()];
        let mut taken = vec![0; groups.len()];
        for (place, rule) in places.iter_mut().zip(&policy.rules) {
            *place = homes.get(&rule.counted()).copied().filter(|number| taken[*number] < most);
            place.iter().for_each(|number| taken[*number] += 1);
        }
        for (place, rule) in places.into_iter().zip(&policy.rules) {
            let number = place.unwrap_or_else(|| {
                let numbers = by_shared.entry(Shared::of(rule)).or_default();
                let room = numbers.iter().find(|number| taken[**number] < most).copied();
                let number = room.unwrap_or_else(|| {
                    let (shared, rules, gone) = (Shared::of(rule), Vec::new(), Vec::new());
                    let meters = Arc::default();
                    groups.push(Self { shared, rules, gone, meters, provider_group: None });
                    taken.push(0);
                    // Full groups are not tried again.
                    *numbers = vec![groups.len() - 1];
                    groups.len() - 1
                });
                taken[number] += 1;
                number
            });
            let group = &mut groups[number];
            group.gone.retain(|gone| !gone.counts_like(rule));
            group.rules.push(Arc::new(rule.clone()));
        }
        for group in &mut groups {
            group.meters = rule_meters_of(&group.rules);
            group.provider_group = group.lowered().map(Box::new);
        }
        groups
    }

    /// The rules that providers lower, as far as they do: they count calls and tokens, and never warn.
    fn lowered(&self) -> Option<Self> {
        let mut rules: Vec<Rule> =
            self.rules.iter().filter(|rule| rule.adaptive).map(|rule| Rule::clone(rule)).collect();
        for rule in &mut rules {
            rule.warn_at.clear();
            rule.limits.retain(|limit| matches!(limit.unit, Unit::Tokens | Unit::Calls));
        }
        rules.retain(|rule| !rule.limits.is_empty());
        let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        let (shared, gone, meters) = (self.shared.clone(), Vec::new(), rule_meters_of(&rules));
        (!rules.is_empty()).then_some(Self { shared, rules, gone, meters, provider_group: None })
    }

    /// The group for what providers say of one model, if it has rules that they lower.
    pub(super) fn provider_group(&self) -> Option<&Self> {
        self.provider_group.as_deref()
    }

    /// The group without its rules, which it remembers.
    fn emptied(&self) -> Self {
        let gone: Vec<_> = self.gone.iter().chain(&self.rules).cloned().collect();
        let forgotten = gone.len().saturating_sub(GONE);
        let gone = gone[forgotten..].to_vec();
        Self {
            shared: self.shared.clone(),
            rules: Vec::new(),
            gone,
            meters: Arc::default(),
            provider_group: None,
        }
    }

    /// The name of the first rule.
    pub(super) fn name(&self) -> &str {
        self.rules.first().map_or("guard", |rule| &rule.name)
    }

    /// The code of refusals before they are completed.
    pub(super) fn code(&self) -> Code {
        self.rules.first().map_or(Code::BudgetExceeded, |rule| rule.kind.code())
    }

    /// Whether requests may wait for it.
    pub(super) fn is_patient(&self) -> bool {
        // The shared properties are those of the time when the group was made. An update may have
        // changed them.
        !self.rules.is_empty() && self.rules.iter().all(|rule| rule.wait.is_some())
    }

    /// Whether each run has its own counter.
    pub(super) const fn is_of_runs(&self) -> bool {
        self.shared.per_run
    }

    /// Whether an amount of it can be set aside for a sub-agent.
    pub(super) const fn can_be_allotted(&self) -> bool {
        !self.shared.slides
    }

    /// Whether it contains a budget or a workflow.
    pub(super) fn has_budgets(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind.is_of_budgets())
    }

    /// Whether it ignores such a request, whatever its scope says.
    fn passes(&self, labels: &Labels<'_>) -> bool {
        let Shared { passes_tools, passes_models, .. } = self.shared;
        if is_tool_call(labels) { passes_tools } else { passes_models }
    }

    /// The label values that select the counter of a request, or `None` if the group does not match
    /// it.
    pub(super) fn values<'a>(&'a self, labels: &Labels<'a>) -> Option<Vec<(&'a str, &'a str)>> {
        if self.rules.is_empty() || self.passes(labels) {
            return None;
        }
        let values = self.shared.scope.values(labels)?;
        let each = self.shared.scope.0.iter().filter(|(_, pattern)| *pattern == Pattern::Each);
        let mut named: Vec<(&str, &str)> =
            each.zip(values).map(|((name, _), value)| (name.as_str(), value)).collect();
        let own = [("run", self.shared.per_run), ("step_id", self.shared.per_step)];
        for (name, _) in own.into_iter().filter(|(_, wanted)| *wanted) {
            if let Some(value) = label(labels, name) {
                named.push((name, value));
            }
        }
        Some(named)
    }

    /// Whether it is the `step.default` of a workflow and the step has a rule with its own name.
    pub(super) fn stands_back(&self, groups: &[Self], labels: &Labels<'_>) -> bool {
        let Some(rule) = self.rules.first().filter(|_| self.shared.per_step) else { return false };
        let Some((of, "default")) = rule.step() else { return false };
        let step = label(labels, "step").filter(|step| *step != "default");
        let Some(step) = step else { return false };
        let rules = groups.iter().flat_map(|group| &group.rules);
        let own = |other: &&Arc<Rule>| {
            other.step().is_some_and(|(workflow, name)| workflow == of && name == step)
        };
        rules.into_iter().any(|other| own(&other))
    }
}
