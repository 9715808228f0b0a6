//! The JSON of a refusal.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::escape::{cut, escaped_json};
use crate::accounting::denied::{Denied, Kind, Show, Subject};

/// The longest message in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// How many bytes of JSON a message shows of each id. If the message is too long, the next smaller
/// number is used.
const ID_BYTES: [usize; 4] = [160, 64, 24, 0];

impl Denied {
    /// The message for the model: one line of valid JSON of at most 1 KB, whatever the ids contain.
    /// Long ids are cut, and characters that a reader cannot see are escaped. It has the names and
    /// totals that `show` allows.
    pub fn to_llm_message(&self) -> String {
        let mut text = String::new();
        for id_bytes in ID_BYTES {
            text = escaped_json(&self.payload(id_bytes).to_string());
            if text.len() <= MESSAGE_BYTES_MAX {
                break;
            }
        }
        text
    }

    fn payload(&self, id_bytes: usize) -> Value {
        json!({
            "error": self.code.name(),
            "type": self.type_name(),
            "message": self.sentence(id_bytes, self.show),
            "details": self.details(id_bytes),
            "suggestion": self.suggestion(),
            "retryable": self.retryable(),
            "retry_after_seconds": seconds(self.retry_after),
        })
    }

    fn details(&self, id_bytes: usize) -> Value {
        let mut details = Map::new();
        if let Some(id) = self.id.as_ref().filter(|_| self.show != Show::Nothing) {
            details.insert(self.id_name().into(), cut(id.as_str(), id_bytes).into());
        }
        let mut put = |name: &str, value: u64| details.insert(name.into(), value.into());
        put("requested", self.requested);
        put("remaining", self.remaining);
        if self.shows_totals() {
            put("total", self.limit);
            put("used", self.used);
            put("reserved", self.reserved);
            match self.kind {
                Kind::StepLimit => {
                    put("steps_executed", self.used);
                    put("max_steps", self.limit);
                }
                Kind::WorkflowLimit => {
                    put("current", self.used);
                    put("max_workflows", self.limit);
                }
                _ => {}
            }
        }
        details.insert("unit".into(), self.unit.name().into());
        if self.is_held() {
            details.insert("reason".into(), self.cause.name().into());
        }
        details.insert("resets_in_seconds".into(), seconds(self.resets_in));
        let cut_pair = |(name, value): &(String, String)| {
            (cut(name, id_bytes.min(48)), Value::from(cut(value, id_bytes.min(48))))
        };
        let shown = self.shown_scope().take(if id_bytes > 0 { 6 } else { 0 });
        let scope: Map<String, Value> = shown.map(cut_pair).collect();
        if !scope.is_empty() {
            details.insert("scope".into(), scope.into());
        }
        details.into()
    }

    /// Whether the model reads the limit and what was used of it.
    const fn shows_totals(&self) -> bool {
        match self.show {
            Show::All => true,
            Show::Own => !self.shared,
            Show::Nothing => false,
        }
    }

    /// The labels that the model reads. The first is the rule's, if a rule refuses.
    fn shown_scope(&self) -> impl Iterator<Item = &(String, String)> {
        let by_rule = matches!(self.subject, Some(Subject::Rule(_))) && self.show == Show::Own;
        let shown = move |(place, (label, _)): &(usize, &(String, String))| {
            (by_rule && *place == 0) || self.show.names(label)
        };
        self.scope.iter().enumerate().filter(shown).map(|(_, pair)| pair)
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_llm_message())
    }
}

impl std::error::Error for Denied {}

/// Whole seconds as an integer. Other times are milliseconds, rounded up so that they are never too
/// early.
fn seconds(duration: Option<Duration>) -> Value {
    let Some(duration) = duration else {
        return Value::Null;
    };
    let millis = duration.as_nanos().div_ceil(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    if millis.is_multiple_of(1000) {
        return (millis / 1000).into();
    }
    #[expect(clippy::cast_precision_loss, reason = "a century has fewer than 2^53 milliseconds")]
    let seconds = millis as f64 / 1000.0;
    seconds.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_whole_where_they_can_be() {
        assert_eq!(seconds(Some(Duration::from_secs(3600))), json!(3600));
        assert_eq!(seconds(Some(Duration::from_nanos(1))), json!(0.001));
        assert_eq!(seconds(None), Value::Null);
    }
}
