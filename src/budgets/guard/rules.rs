//! Rules that are always asked together: they are about the same requests.

use std::sync::Arc;

use crate::accounting::Code;
use crate::budgets::policy::scope::label;
use crate::budgets::policy::{GuardPolicy, Labels, Pattern, Rule, RuleKind, Scope, Span};

/// The most rules that share an account: its meters are numbered by a byte, and each rule has
/// nine at most.
const RULES: usize = 16;

/// What rules have in common that share an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shared {
    scope: Scope,
    /// Each run, or each execution of a step, has a counter of its own.
    per_run: bool,
    per_step: bool,
    /// They let calls of tools pass by.
    passes_tools: bool,
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
            patient: rule.wait.is_some(),
            slides: matches!(rule.span, Span::Rolling(_)),
        }
    }
}

/// Rules that are always asked together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    shared: Shared,
    /// In the order of the policy.
    pub(super) rules: Vec<Arc<Rule>>,
}

impl Group {
    /// A group of one rule.
    pub(super) fn of(rule: Rule) -> Self {
        Self { shared: Shared::of(&rule), rules: vec![Arc::new(rule)] }
    }

    /// The rules of a policy, grouped; those of `known` keep their places, also without rules.
    pub(super) fn all(policy: &GuardPolicy, known: &[Self]) -> Vec<Self> {
        let empty = |group: &Self| Self { shared: group.shared.clone(), rules: Vec::new() };
        let mut groups: Vec<Self> = known.iter().map(empty).collect();
        for rule in &policy.rules {
            let shared = Shared::of(rule);
            let rule = Arc::new(rule.clone());
            let has_room = |group: &&mut Self| group.shared == shared && group.rules.len() < RULES;
            match groups.iter_mut().find(has_room) {
                Some(group) => group.rules.push(rule),
                None => groups.push(Self { shared, rules: vec![rule] }),
            }
        }
        groups
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
    pub(super) const fn is_patient(&self) -> bool {
        self.shared.patient
    }

    /// Whether each run has a counter of its own.
    pub(super) const fn is_of_runs(&self) -> bool {
        self.shared.per_run
    }

    /// Whether a part of it can be set aside for a sub-agent.
    pub(super) const fn can_be_allotted(&self) -> bool {
        !self.shared.slides
    }

    /// The labels by which the counter of a request is told apart from others, if it is meant.
    pub(super) fn values(&self, labels: &Labels<'_>) -> Option<Vec<(String, String)>> {
        if self.rules.is_empty() || (self.shared.passes_tools && label(labels, "tool").is_some()) {
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
