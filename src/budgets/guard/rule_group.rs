//! Rules that are always asked together: they are about the same requests.

use std::collections::HashMap;
use std::sync::Arc;

use crate::accounting::Code;
use crate::budgets::policy::{
    GuardPolicy, Labels, Pattern, Rule, RuleKind, Scope, Span, is_tool_call, label,
};

/// The most rules that share an account: its meters are numbered by a byte, and each rule has
/// nine at most.
const RULES: usize = 16;
/// How many rules that are gone a group remembers, to know them when they come back.
const GONE: usize = 200;

/// What rules have in common that share an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shared {
    scope: Scope,
    /// Each run, or each execution of a step, has a counter of its own.
    per_run: bool,
    per_step: bool,
    /// They let calls of tools pass by, or those of models.
    passes_tools: bool,
    passes_models: bool,
    /// Requests may wait for them.
    patient: bool,
    /// They slide: such accounts read the precise clock, and no part of them is set aside.
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
    /// Rules that were in force once: its counters still know what they have counted.
    gone: Vec<Arc<Rule>>,
}

impl RuleGroup {
    /// A group of one rule.
    pub(super) fn of(rule: Rule) -> Self {
        let shared = Shared::of(&rule);
        Self { shared, rules: vec![Arc::new(rule)], gone: Vec::new() }
    }

    /// The rules of a policy, grouped; those of `known` keep their places, also without rules. A
    /// rule that was in force before stays where it has counted.
    pub(super) fn all(policy: &GuardPolicy, known: &[Self]) -> Vec<Self> {
        let mut homes = HashMap::new();
        let mut by_shared: HashMap<Shared, Vec<usize>> = HashMap::new();
        for (number, group) in known.iter().enumerate() {
            by_shared.entry(group.shared.clone()).or_default().push(number);
            homes.extend(group.gone.iter().map(|rule| (rule.counted(), number)));
        }
        // Who is in force comes before who is gone, should both be known.
        for (number, group) in known.iter().enumerate() {
            homes.extend(group.rules.iter().map(|rule| (rule.counted(), number)));
        }
        let mut groups: Vec<Self> = known.iter().map(Self::emptied).collect();
        let mut places = vec![None; policy.rules.len()];
        let mut taken = vec![0; groups.len()];
        for (place, rule) in places.iter_mut().zip(&policy.rules) {
            *place = homes.get(&rule.counted()).copied().filter(|number| taken[*number] < RULES);
            place.iter().for_each(|number| taken[*number] += 1);
        }
        for (place, rule) in places.into_iter().zip(&policy.rules) {
            let number = place.unwrap_or_else(|| {
                let numbers = by_shared.entry(Shared::of(rule)).or_default();
                let room = numbers.iter().find(|number| taken[**number] < RULES).copied();
                let number = room.unwrap_or_else(|| {
                    let (shared, rules, gone) = (Shared::of(rule), Vec::new(), Vec::new());
                    groups.push(Self { shared, rules, gone });
                    taken.push(0);
                    // The full ones are not looked at again.
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
        groups
    }

    /// The group without its rules, which are remembered.
    fn emptied(&self) -> Self {
        let gone: Vec<_> = self.gone.iter().chain(&self.rules).cloned().collect();
        let forgotten = gone.len().saturating_sub(GONE);
        let gone = gone[forgotten..].to_vec();
        Self { shared: self.shared.clone(), rules: Vec::new(), gone }
    }

    /// The name of the first rule.
    pub(super) fn name(&self) -> &str {
        self.rules.first().map_or("guard", |rule| &rule.name)
    }

    /// What refusals are before they are named.
    pub(super) fn code(&self) -> Code {
        self.rules.first().map_or(Code::BudgetExceeded, |rule| rule.kind.code())
    }

    /// Whether requests may wait for it.
    pub(super) fn is_patient(&self) -> bool {
        // Not what they shared when the group was made: an update may have changed it.
        !self.rules.is_empty() && self.rules.iter().all(|rule| rule.wait.is_some())
    }

    /// Whether each run has a counter of its own.
    pub(super) const fn is_of_runs(&self) -> bool {
        self.shared.per_run
    }

    /// Whether a part of it can be set aside for a sub-agent.
    pub(super) const fn can_be_allotted(&self) -> bool {
        !self.shared.slides
    }

    /// Whether there is a budget or a workflow among its rules.
    pub(super) fn has_budgets(&self) -> bool {
        self.rules.iter().any(|rule| rule.kind.is_of_budgets())
    }

    /// Whether it lets such a request pass by, whatever its scope says.
    fn passes(&self, labels: &Labels<'_>) -> bool {
        let Shared { passes_tools, passes_models, .. } = self.shared;
        if is_tool_call(labels) { passes_tools } else { passes_models }
    }

    /// The labels by which the counter of a request is told apart from others, if it is meant.
    pub(super) fn values(&self, labels: &Labels<'_>) -> Option<Vec<(String, String)>> {
        if self.rules.is_empty() || self.passes(labels) {
            return None;
        }
        let values = self.shared.scope.values(labels)?;
        let each = self.shared.scope.0.iter().filter(|(_, pattern)| *pattern == Pattern::Each);
        let mut named: Vec<(String, String)> =
            each.zip(values).map(|((name, _), value)| (name.clone(), value.to_owned())).collect();
        let own = [("run", self.shared.per_run), ("step_id", self.shared.per_step)];
        for (name, _) in own.into_iter().filter(|(_, wanted)| *wanted) {
            if let Some(value) = label(labels, name) {
                named.push((name.to_owned(), value.to_owned()));
            }
        }
        Some(named)
    }

    /// Whether it is a workflow's `step.default` that stands back: the step has a rule by its name.
    pub(super) fn stands_back(&self, groups: &[Self], labels: &Labels<'_>) -> bool {
        let Some(rule) = self.rules.first().filter(|_| self.shared.per_step) else { return false };
        let Some(of) = rule.name.strip_suffix(".step.default") else { return false };
        let step = label(labels, "step").filter(|step| *step != "default");
        let Some(step) = step else { return false };
        let own = format!("{of}.step.{step}");
        let rules = groups.iter().flat_map(|group| &group.rules);
        rules.into_iter().any(|other| other.name == own && other.kind == RuleKind::Step)
    }
}
