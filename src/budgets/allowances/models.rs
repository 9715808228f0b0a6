//! The names of models in allowances: a dated or prefixed name counts as its model.

use super::accounts::Limited;
use super::settings::ModelQuota;
use crate::accounting::{Invalid, Key, model_names};

impl Limited<ModelQuota> {
    /// The name under which a model is counted: the closest of its names that has a quota with a
    /// limit, or its own.
    pub(super) fn counted(&self, model: Key) -> Result<Key, Invalid> {
        let has_quota = |name: &&str| self.own(name).is_some_and(|quota| limits(&quota));
        let found = model_names(model.as_str()).find(has_quota);
        let other = found.filter(|name| *name != model.as_str());
        other.map(|name| Key::parse("model", name)).unwrap_or(Ok(model))
    }
}

/// Whether a quota limits anything.
fn limits(quota: &ModelQuota) -> bool {
    let ModelQuota { daily_token_budget, hourly_rate_limit, cost_ceiling_micros_usd, .. } = quota;
    [daily_token_budget, hourly_rate_limit, cost_ceiling_micros_usd].into_iter().any(|max| *max > 0)
}

/// Whether a list of models allows one, under any of its names. An empty list allows all.
pub(in crate::budgets) fn allows_model(list: &[String], model: &str) -> bool {
    list.is_empty() || model_names(model).any(|name| list.iter().any(|allowed| allowed == name))
}
