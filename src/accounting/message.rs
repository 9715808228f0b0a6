//! The texts of a refusal: one line of JSON for the model, of at most 1 KB, and a note for people.

mod escape;
mod json;
mod note;
mod sentence;

pub use self::json::MESSAGE_BYTES_MAX;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::json::MESSAGE_BYTES_MAX;
    use crate::accounting::denied::{Code, Denied, Kind, Subject};
    use crate::accounting::key::Key;
    use crate::accounting::limit::Unit;

    const HOUR: Duration = Duration::from_secs(3600);

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
            assert!(!text.contains(['\n', '\u{85}', '\u{2028}', '\u{202e}']));
        }
    }

    #[test]
    fn the_longest_ids_and_scopes_stay_within_a_kilobyte() {
        let tags = "\u{e0041}".repeat(256);
        for id in ["\0".repeat(1024), "🦀".repeat(256), "\"".repeat(1024), tags] {
            let mut denied = denied(&id);
            denied.subject = Some(Subject::Rule(id.clone()));
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
