//! The wait that the body of an error names. The sources:
//!
//! - Google, `google.rpc.RetryInfo` in `error.details`: `"retryDelay": "34s"`, and "Please retry in
//!   34.07s." in the message.
//! - OpenAI and Groq: "Please try again in 1.2s.", "20ms", "6m0s" and, for a day, "1h2m3.5s".
//! - Azure OpenAI: "Please retry after 26 seconds.", "Try again in 26 seconds."
//! - Fields of others: `retry_after`, `retry_after_seconds`, `retry_after_ms`, `retryAfter`.

use std::time::Duration;

use serde_json::Value;

use super::values::{MILLISECOND, SECOND, go_duration, wait};

/// The most bytes that are read, and the deepest value.
const BODY_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 8;
/// What stands before a wait in a sentence, in small letters.
const BEFORE: [&str; 7] = [
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "wait ",
    // The body of Google as the text of an exception: JSON, or as Python prints a dict.
    "retrydelay\": \"",
    "retrydelay': '",
];
/// Words for units, longest first.
const WORDS: [(&str, u128); 8] = [
    ("milliseconds", MILLISECOND),
    ("millisecond", MILLISECOND),
    ("seconds", SECOND),
    ("second", SECOND),
    ("minutes", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("hours", 3600 * SECOND),
    ("hour", 3600 * SECOND),
];

/// The longest wait that a body names, JSON or plain text. `None` if it names none, or is too long
/// to be the body of an error.
pub(super) fn body_wait(body: &str) -> Option<Duration> {
    if body.len() > BODY_MAX {
        return None;
    }
    match serde_json::from_str(body) {
        Ok(value) => in_value(&value, DEPTH_MAX),
        Err(_) => in_text(body),
    }
}

fn in_value(value: &Value, depth: usize) -> Option<Duration> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => in_text(text),
        Value::Array(all) => all.iter().filter_map(|one| in_value(one, depth)).max(),
        Value::Object(fields) => {
            let read = |(name, value): (&String, &Value)| match unit_of(name) {
                Some(unit) => in_field(value, unit),
                None => in_value(value, depth),
            };
            fields.iter().filter_map(read).max()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The unit of a field whose name says that it is a wait.
fn unit_of(name: &str) -> Option<u128> {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    match plain.to_ascii_lowercase().as_str() {
        "retrydelay" | "retryafter" | "retryafterseconds" | "retryaftersec" | "retryaftersecs" => {
            Some(SECOND)
        }
        "retryafterms" | "retryaftermilliseconds" => Some(MILLISECOND),
        _ => None,
    }
}

/// A number, a duration as text ("34s", "34", "0.5s"), or the two parts of a duration of protobuf.
fn in_field(value: &Value, unit: u128) -> Option<Duration> {
    match value {
        Value::Number(number) => wait(&number.to_string(), unit),
        Value::String(text) => {
            let text = text.trim();
            wait(text, unit).or_else(|| go_duration(text)).or_else(|| in_words(text))
        }
        Value::Object(parts) => {
            let part = |name: &str| parts.get(name).map(|part| part.to_string().replace('"', ""));
            let [seconds, nanos] = [part("seconds"), part("nanos")];
            let read =
                |text: Option<String>, unit| text.map_or(Some(Duration::ZERO), |t| wait(&t, unit));
            (seconds.is_some() || nanos.is_some()).then_some(())?;
            read(seconds, SECOND)?.checked_add(read(nanos, 1)?)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// The longest wait in a sentence.
fn in_text(text: &str) -> Option<Duration> {
    let small = text.to_ascii_lowercase();
    let at =
        |before: &'static str| small.match_indices(before).map(move |(at, _)| at + before.len());
    let waits = BEFORE.into_iter().flat_map(at).filter_map(|at| in_words(&small[at..]));
    waits.max()
}

/// The wait with which a text begins: "1.2s", "6m0s", "26 seconds".
fn in_words(text: &str) -> Option<Duration> {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let word = text.split([' ', ',', ';', ')', '"', '\'']).next()?.trim_end_matches('.');
    if let Some(wait) = go_duration(word) {
        return Some(wait);
    }
    let end = text.find(|c| !number(c)).unwrap_or(text.len());
    let (amount, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let unit = WORDS.into_iter().find(|(name, _)| rest.starts_with(name))?.1;
    wait(amount, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_sentences_of_providers_are_read() {
        let gemini = r#"{"error": {"code": 429, "message": "Quota.\nPlease retry in 33.9s.",
            "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": "google.rpc.QuotaFailure", "violations": [{"quotaValue": "15"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}}"#;
        let openai = |wait: &str| {
            format!(
                r#"{{"error": {{"message": "Rate limit. Please try again in {wait}. Visit us"}}}}"#
            )
        };
        let rows = [
            (gemini.to_owned(), 34_000),
            (format!("[{gemini}]"), 34_000),
            (openai("1.2s"), 1_200),
            (openai("20ms"), 20),
            (openai("6m0s"), 360_000),
            (openai("1h2m3.5s"), 3_723_500),
            (
                r#"{"error": {"message": "Rate limit. Please retry after 26 seconds. Go here"}}"#
                    .into(),
                26_000,
            ),
            (format!("Error code: 429 - {}", gemini.replace('"', "'")), 34_000),
            ("Rate limit is exceeded. Try again in 1 second.".into(), 1_000),
            ("Try again in 2 minutes".into(), 120_000),
            (
                r#"{"type": "error", "error": {"type": "rate_limit_error", "retry_after": 7.5}}"#
                    .into(),
                7_500,
            ),
            (r#"{"retry_after_ms": 250}"#.into(), 250),
            (r#"{"error": {"metadata": {"headers": {"Retry-After": "12"}}}}"#.into(), 12_000),
            (r#"{"retryAfter": {"seconds": "3", "nanos": 500000000}}"#.into(), 3_500),
            (r#"{"a": "retry after 5 seconds", "retry_after": 9}"#.into(), 9_000),
        ];
        for (body, ms) in rows {
            assert_eq!(body_wait(&body), Some(Duration::from_millis(ms)), "{body}");
        }
    }

    #[test]
    fn what_names_no_wait_gives_none_and_nothing_panics() {
        let deep = format!("{}{}", "[".repeat(4000), "]".repeat(4000));
        let long = format!(r#"{{"retry_after": 5, "x": "{}"}}"#, "y".repeat(BODY_MAX));
        for body in [
            "",
            "{",
            "null",
            "retry after",
            "retry after you paid",
            "try again in 5 apples",
            "try again in s",
            "Try again in \u{e9}5s",
            r#"{"retry_after": -1}"#,
            r#"{"retry_after": 1e400}"#,
            r#"{"retry_after": null, "retryDelay": {"x": 1}}"#,
            r#"{"retry_after": 99999999999}"#,
            r#"{"retryAfter": {"seconds": "-3"}}"#,
            &deep,
            &long,
        ] {
            assert_eq!(body_wait(body), None, "{body:.60}");
        }
    }
}
