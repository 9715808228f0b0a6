//! The message of a refusal for the model: one line of JSON, at most 1 KB long.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::denied::{Code, Denied, Kind};
use super::limit::Unit;

/// The longest message in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// How many bytes of JSON a message shows of each id. If the message is too long, the next smaller
/// number is used.
const ID_BYTES: [usize; 4] = [160, 64, 24, 0];
const HOUR: Duration = Duration::from_secs(3600);

impl Denied {
    /// The message for the model: one line of valid JSON of at most 1 KB, whatever the ids contain.
    /// Long ids are cut.
    pub fn to_llm_message(&self) -> String {
        let mut text = String::new();
        for id_bytes in ID_BYTES {
            text = one_line(&self.payload(id_bytes).to_string());
            if text.len() <= MESSAGE_BYTES_MAX {
                break;
            }
        }
        text
    }

    /// What ran out, in a sentence.
    pub fn message(&self) -> String {
        self.sentence(ID_BYTES[0])
    }

    /// The `type` of the message. It is the kind, except for hourly workflow quotas.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::WorkflowLimit if self.period == Some(HOUR) => "hourly_limit",
            kind => kind.name(),
        }
    }

    /// What to do now.
    pub const fn suggestion(&self) -> &'static str {
        match (self.code, self.kind) {
            (Code::NotConfigured, _) => "Ask the operator to set a budget for this agent",
            (Code::RequestBudgetExceeded, _) => {
                "Send a smaller request or raise the cap of this request"
            }
            (_, Kind::Model) => "Use one of the models that are allowed",
            (_, Kind::Concurrency) => {
                "Wait until one that is running has ended, then start it again"
            }
            // With a limit of zero no smaller request would pass.
            (code, _) if self.is_too_large() && (self.limit > 0 || code.is_rate()) => {
                "Ask for less: send a smaller request, for it is more than the whole limit"
            }
            _ if self.is_held() => "Wait until a call under way has ended, then send it again",
            (Code::RateLimitExceeded, _) | (_, Kind::Rate) => {
                "Wait for retry_after_seconds, then send it again"
            }
            (_, Kind::Cooldown) => "Wait for retry_after_seconds, then try this repository again",
            (Code::AllowanceExceeded, _) => {
                "Wait for the next period or ask for a larger allowance"
            }
            (Code::WorkflowQuotaExceeded, Kind::StepLimit) => {
                "Finish now with what you have: no further step will be allowed in this workflow"
            }
            (Code::WorkflowQuotaExceeded, _) => {
                "Wait for the next period or continue a workflow that is active"
            }
            (Code::ThresholdExceeded, _) => {
                "Finish with what you have, or send a smaller request that fits what remains"
            }
            (Code::BudgetExceeded, _) if self.resets_in.is_none() || self.is_too_large() => {
                "Finish with what you have or request a higher allocation"
            }
            (Code::BudgetExceeded, _) => "Wait for budget reset or request a higher allocation",
        }
    }

    fn sentence(&self, id_bytes: usize) -> String {
        if let Some(reason) = &self.reason {
            return cut(reason, id_bytes.max(64));
        }
        let what = self.what();
        match self.code {
            Code::NotConfigured => {
                let id = self.id.as_ref().map_or("", |id| id.as_str());
                format!("No budget configured for agent {}", cut(id, id_bytes))
            }
            Code::BudgetExceeded => format!("{what} budget exceeded"),
            Code::RequestBudgetExceeded => format!("{what} budget of this request exceeded"),
            Code::ThresholdExceeded => {
                format!("{what} budget exceeded: pool stop threshold reached")
            }
            Code::WorkflowQuotaExceeded | Code::RateLimitExceeded | Code::AllowanceExceeded => {
                format!("{what} limit exceeded")
            }
        }
    }

    /// What ran out, as the first word of a sentence.
    const fn what(&self) -> &'static str {
        match (self.kind, self.unit) {
            (Kind::Token, Unit::InputTokens) => "Input token",
            (Kind::Token, Unit::OutputTokens) => "Output token",
            (Kind::Token, Unit::CacheReadTokens) => "Cache read token",
            (Kind::Token, Unit::CacheWriteTokens) => "Cache write token",
            (Kind::Token, Unit::ReasoningTokens) => "Reasoning token",
            (Kind::Token, _) => "Token",
            (Kind::Call, Unit::ToolCalls) => "Tool call",
            (Kind::Call, _) => "Call",
            (Kind::Cost, _) => "Cost",
            (Kind::WorkflowLimit, _) => "Workflow",
            (Kind::StepLimit, _) => "Step",
            (Kind::Rate, _) => "Rate",
            (Kind::Job, _) => "Job",
            (Kind::Concurrency, _) => "Concurrency",
            (Kind::Model, _) => "Model",
            (Kind::Repo, _) => "Repository",
            (Kind::Cooldown, _) => "Cooldown",
            (Kind::NotConfigured, _) => "Budget",
        }
    }

    fn payload(&self, id_bytes: usize) -> Value {
        json!({
            "error": self.code.name(),
            "type": self.type_name(),
            "message": self.sentence(id_bytes),
            "details": self.details(id_bytes),
            "suggestion": self.suggestion(),
            "retryable": self.retryable(),
            "retry_after_seconds": seconds(self.retry_after),
        })
    }

    fn details(&self, id_bytes: usize) -> Value {
        let mut details = Map::new();
        if let Some(id) = &self.id {
            details.insert(self.id_name().into(), cut(id.as_str(), id_bytes).into());
        }
        let mut put = |name: &str, value: u64| details.insert(name.into(), value.into());
        put("requested", self.requested);
        put("remaining", self.remaining);
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
        details.insert("unit".into(), self.unit.name().into());
        if self.is_held() {
            details.insert("reason".into(), self.cause.name().into());
        }
        details.insert("resets_in_seconds".into(), seconds(self.resets_in));
        if !self.scope.is_empty() && id_bytes > 0 {
            let cut_pair = |(name, value): &(String, String)| {
                (cut(name, id_bytes.min(48)), Value::from(cut(value, id_bytes.min(48))))
            };
            let scope: Map<String, Value> = self.scope.iter().take(6).map(cut_pair).collect();
            details.insert("scope".into(), scope.into());
        }
        details.into()
    }

    /// What the id names.
    pub const fn id_name(&self) -> &'static str {
        match self.code {
            Code::WorkflowQuotaExceeded => "workflow_id",
            _ => "agent_id",
        }
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

/// Escapes characters that JSON allows in a string but other readers take for the end of a line.
fn one_line(json: &str) -> String {
    json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The start of `text` that takes at most `bytes` in JSON. An ellipsis marks a cut.
fn cut(text: &str, bytes: usize) -> String {
    let mut taken = 0;
    for (index, character) in text.char_indices() {
        taken += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => 6,
            other => other.len_utf8(),
        };
        if taken > bytes {
            return format!("{}…", &text[..index]);
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::key::Key;

    fn denied(id: &str) -> Box<Denied> {
        let mut denied = Denied::plain(Code::BudgetExceeded, Kind::Token, None);
        denied.id = Some(Key::parse("agent_id", id).unwrap());
        (denied.limit, denied.used, denied.requested, denied.remaining) = (1000, 950, 100, 50);
        denied.retry_after = Some(HOUR);
        denied.resets_in = Some(HOUR);
        denied
    }

    #[test]
    fn the_envelope_is_the_documented_one() {
        let value: Value = serde_json::from_str(&denied("a-1").to_llm_message()).unwrap();
        let expected = json!({
            "error": "budget_exceeded", "type": "token", "message": "Token budget exceeded",
            "details": {"agent_id": "a-1", "requested": 100, "remaining": 50, "total": 1000,
                "used": 950, "reserved": 0, "resets_in_seconds": 3600, "unit": "tokens"},
            "suggestion": "Wait for budget reset or request a higher allocation",
            "retryable": false, "retry_after_seconds": 3600,
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_quote_in_an_id_does_not_break_the_json() {
        for id in ["\"", "\\", "a\"}{", "\n\0\u{1}", "\u{202e}", "\u{2028}\u{85}", "🦀"] {
            let text = denied(id).to_llm_message();
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["details"]["agent_id"], id);
            assert!(!text.contains(['\n', '\u{85}', '\u{2028}']));
        }
    }

    #[test]
    fn the_longest_ids_and_scopes_stay_within_a_kilobyte() {
        for id in ["\0".repeat(1024), "🦀".repeat(256), "\"".repeat(1024)] {
            let mut denied = denied(&id);
            for code in Code::ALL {
                denied.code = code;
                denied.reason = (code == Code::AllowanceExceeded).then(|| id.repeat(4));
                denied.scope = (0..20).map(|n| (format!("{n}{id}"), id.clone())).collect();
                (denied.limit, denied.used, denied.reserved) = (u64::MAX, u64::MAX, u64::MAX);
                (denied.requested, denied.remaining) = (u64::MAX, u64::MAX);
                let text = denied.to_llm_message();
                assert!(text.len() <= MESSAGE_BYTES_MAX, "{} bytes", text.len());
                serde_json::from_str::<Value>(&text).unwrap();
            }
        }
    }

    #[test]
    fn seconds_are_rounded_up_and_whole_where_they_can_be() {
        assert_eq!(seconds(Some(Duration::from_secs(3600))), json!(3600));
        assert_eq!(seconds(Some(Duration::from_nanos(1))), json!(0.001));
        assert_eq!(seconds(None), Value::Null);
    }

    #[test]
    fn a_refusal_of_an_allowance_says_what_it_counts_and_what_to_do() {
        let cases = [
            (Kind::Token, "tokens", "larger allowance", false),
            (Kind::Cost, "micro_usd", "larger allowance", false),
            (Kind::Job, "jobs", "larger allowance", false),
            (Kind::Repo, "actions", "larger allowance", false),
            (Kind::Model, "tokens", "models that are allowed", false),
            (Kind::Rate, "calls", "retry_after_seconds", true),
            (Kind::Cooldown, "actions", "this repository again", true),
            (Kind::Concurrency, "slots", "running has ended", true),
        ];
        for (kind, unit, suggestion, retryable) in cases {
            let denied = Denied::plain(Code::AllowanceExceeded, kind, None);
            let value: Value = serde_json::from_str(&denied.to_llm_message()).unwrap();
            assert_eq!(value["type"], kind.name());
            assert_eq!(value["details"]["unit"], unit, "{kind:?}");
            assert_eq!(value["retryable"], retryable, "{kind:?}");
            assert!(denied.suggestion().contains(suggestion), "{kind:?}");
        }
    }

    #[test]
    fn every_name_is_of_one_kind_and_a_limiter_still_counts_tokens() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::parse(kind.name()) == Some(kind)));
        let limiter = Denied::plain(Code::RateLimitExceeded, Kind::Rate, None);
        assert_eq!((limiter.unit, limiter.retryable()), (Unit::Tokens, true));
    }

    #[test]
    fn only_an_hourly_workflow_quota_is_called_hourly() {
        let mut denied = Denied::plain(Code::WorkflowQuotaExceeded, Kind::WorkflowLimit, None);
        assert_eq!(denied.type_name(), "workflow_limit");
        denied.period = Some(HOUR);
        assert_eq!(denied.type_name(), "hourly_limit");
    }
}
