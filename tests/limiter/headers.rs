//! The headers of providers, as they stand in their documents.

use std::cmp::Reverse;
use std::time::Duration;

use outlay::{RateHeaders, ReportedLimit, ReportedUnit};

/// 2025-08-21T12:00:00Z, a Thursday.
const NOW: i64 = 1_755_777_600_000_000_000;

const HOSTILE: &str = "-1|-0|+5|nan|inf|1e400|1e3|١٢|5 s|m|.|1.|.5|1,000|0x1|1;w=60|1.2.3||\
    99999999999999999999999999999999999999999";

/// Checks each row: its values ("a|b") replace the `{}` of `headers`, in both orders. The `{}`
/// of `read` is the expected result, as [`shown`] shows it. "x-" and "a-" begin the two
/// families.
fn check(headers: &str, read: &str, rows: &[(&str, &str)]) {
    for (expected, values) in rows {
        for value in values.split('|') {
            let text = format!("; {headers}").replace("{}", value);
            let text = text.replace("; x-", "; X-RateLimit-");
            let text = text.replace("; a-", "; Anthropic-RateLimit-");
            let mut pairs: Vec<_> = text.split("; ").filter_map(|s| s.split_once(": ")).collect();
            for _ in 0..2 {
                let found = shown(RateHeaders::read(pairs.iter().copied(), NOW));
                assert_eq!(found, read.replace("{}", expected), "{headers} {value:.50}");
                pairs.reverse();
            }
        }
    }
}

/// The limit, tokens@reset, requests@reset and the wait.
fn shown(read: RateHeaders) -> String {
    let time = |time: Option<Duration>| time.map_or("-".into(), |time| format!("{time:?}"));
    let strictest = |unit: ReportedUnit| {
        let told = read.limits.iter().filter(|told| told.unit() == unit);
        let left = told.filter_map(|told| Some((told.remaining()?, told.reset())));
        let least = left.min_by_key(|(left, reset)| (*left, Reverse(*reset)));
        least.map_or("-".into(), |(left, reset)| format!("{left}@{}", time(reset)))
    };
    let [tokens, requests] = [ReportedUnit::Tokens, ReportedUnit::Requests].map(strictest);
    let a_minute = Some(Duration::from_secs(60));
    let of_a_minute = read.limits.iter().filter(|told| told.period() == a_minute);
    let limit = of_a_minute.filter(|told| told.unit() == ReportedUnit::Tokens);
    let limit = limit.filter_map(ReportedLimit::max).min();
    let limit = limit.map_or("-".into(), |limit| limit.to_string());
    format!("{limit} {tokens} {requests} {}", time(read.retry_after))
}

#[test]
fn hostile_values_are_as_if_the_header_were_missing() {
    let values = format!("{HOSTILE}|{}", "1".repeat(1 << 20));
    let all = "x-limit-tokens: {}; x-remaining-tokens: {}; a-tokens-limit: {}; \
        a-requests-remaining: {}; retry-after: {}; retry-after-ms: {}; {}: 1; x-: 1; \
        x-limit-bytes: 1; x-limit-tokens-day: 1; a-tokens: 1; a-unified-limit: 1; é: 1";
    let resets = "x-remaining-tokens: 7; x-reset-tokens: {}; \
        a-requests-remaining: 8; a-requests-reset: {}";
    check(all, "- - - -", &[("", &values)]);
    check(resets, "- 7@- 8@- -", &[("", &values)]);
}

#[test]
fn resets_of_the_openai_family_are_durations_of_go_or_seconds() {
    let rows = [
        ("0ns", "0|0s|0.0"),
        ("360s", "6m0s|6m|0h6m|360|360.0| 360\t"),
        ("2678400s", "744h|2678400"),
        ("0ns", "1755777600|1755777600000|1700000000"),
        ("5s", "1755777605|1755777605000"),
        ("5.25s", "1755777605.25|1755777605250"),
        ("20ms", "20ms|0.02|0.02s"),
        ("3723.5s", "1h2m3.5s"),
        ("86.4s", "1m26.4s|86.4"),
        ("7.66s", "7.66s"),
        ("250µs", "250us|250µs|250Âµs"),
        ("2ns", "1.5ns|0.0000000011"),
        ("1ns", "0.0000000000000000000001"),
        ("-", "1h-2m|1m1m|1s1m|1h30|5S|1d|744h0.1ns|2678400.1|18446744073709551616s"),
        ("-", "18446744073709551615h|2025-08-21T12:00:05Z"),
    ];
    check("x-remaining-requests: 1; x-reset-requests: {}", "- - 1@{} -", &rows);
}

#[test]
fn amounts_are_whole_and_only_what_remains_is_rounded_down() {
    let rows = [
        ("1500 1500@-", "1500|1500.0"),
        ("- 1500@-", "1500.9"),
        ("0 0@-", "0|0.0"),
        ("- 0@-", "0.99999999999999999999"),
        ("18446744073709551615 18446744073709551615@-", "18446744073709551615"),
        ("- -", "18446744073709551616"),
    ];
    check("x-limit-tokens: {}; x-remaining-tokens: {}", "{} - -", &rows);
}

#[test]
fn a_wait_is_seconds_or_a_date_and_milliseconds_win() {
    let rows = [
        ("250ms", "0.25"),
        ("30s", "Thu, 21 Aug 2025 12:00:30 GMT|Thursday, 21-Aug-25 12:00:30 GMT"),
        ("30s", "Thu Aug 21 12:00:30 2025|30|3, 30"),
        ("0ns", "Sun Nov  6 08:49:37 1994|Thu, 21 Aug 2025 11:59:59 GMT|0"),
        ("-", "Fri, 21 Aug 2026 12:00:00 GMT|Fri, 21 Aug 2025 12:00:30 GMT"),
    ];
    check("Retry-After: {}", "- - - {}", &rows);
    let rows = [("1.5005s", "1500.5"), ("0ns", "0"), ("9s", "soon|-1|")];
    check("retry-after-ms: {}; retry-after: 9", "- - - {}", &rows);
}

#[test]
fn of_one_header_the_strictest_value_counts_and_of_two_limits_the_tighter() {
    let twice = "x-limit-tokens: 80, 90; x-limit-tokens: 100; x-remaining-tokens: 20; \
        x-REMAINING-tokens: 10; x-reset-tokens: 1s, 2s; x-reset-tokens: 3ms";
    let both = "a-tokens-limit: 70; x-limit-tokens: 60; a-tokens-remaining: 5; \
        x-remaining-tokens: 6; x-reset-tokens: 9s; a-requests-remaining: 5; \
        a-requests-reset: 2025-08-21T12:00:05Z; x-remaining-requests: 5; x-reset-requests: 9s";
    let project = "x-remaining-tokens: 1; x-remaining-project-tokens: 0";
    let rows = [("80 10@2s - -", twice), ("60 5@- 5@9s -", both), ("- 0@- - -", project)];
    check("{}", "{}", &rows);
}

#[test]
fn input_stands_in_for_tokens_and_what_is_at_zero_closes_the_door() {
    let output = "a-output-tokens-remaining: {}; a-output-tokens-reset: 2025-08-21T12:00:40Z";
    let input = "a-input-tokens-remaining: 9; a-input-tokens-reset: 2025-08-21T12:00:10Z";
    let tokens = "a-tokens-remaining: 50; a-tokens-reset: 2025-08-21T12:00:50Z";
    let closed = input.replace("9;", "0;");
    for (headers, open, none_left) in [
        (output.to_owned(), "-", "0@40s"),
        (format!("{output}; {input}"), "9@10s", "0@40s"),
        (format!("{output}; {input}; {tokens}"), "50@50s", "0@40s"),
        (format!("{output}; {closed}; {tokens}"), "0@10s", "0@40s"),
        (format!("{output}; {closed}; {}", tokens.replace("50;", "0;")), "0@50s", "0@50s"),
    ] {
        check(&headers, "- {} - -", &[(open, "1"), (none_left, "0")]);
    }
}

#[test]
fn resets_of_anthropic_are_timestamps_and_zero_once_past() {
    let rows = [
        ("5s", "2025-08-21T12:00:05Z|2025-08-21T12:00:05.000+00:00"),
        ("5.000000001s", "2025-08-21T14:00:05.000000001+02:00"),
        ("0ns", "2025-08-21T12:00:00Z|1970-01-01T00:00:00Z|0001-01-01T00:00:00Z"),
        ("-", "2025-09-21T12:00:01Z|9999-12-30T00:00:00Z|2025-08-21T12:00:05|12s|1755777605"),
    ];
    check("a-requests-remaining: 1; a-requests-reset: {}", "- - 1@{} -", &rows);
}

#[test]
fn names_say_the_window_and_a_day_has_no_limit_of_a_minute() {
    let rows = [
        (
            "60000 51000@15s -",
            "x-limit-tokens-minute: 60000; x-remaining-tokens-minute: 51000; \
            x-reset-tokens-minute: 15s",
        ),
        (
            "- 40@3600s 7@60s",
            "x-limit-tokens-day: 1000000; x-remaining-tokens-day: 40; \
            x-reset-tokens-day: 3600; x-remaining-requests-day: 7; x-reset-requests-day: 60",
        ),
        (
            "900 3@9s -",
            "x-limit-tokens-minute: 900; x-remaining-tokens-minute: 500; \
            x-remaining-tokens-day: 3; x-reset-tokens-day: 9",
        ),
        ("- - 4@-", "x-limit-req-minute: 5; x-remaining-req-minute: 4"),
        (
            "500000 467993@40s -",
            "ratelimitbysize-limit: 500000; ratelimitbysize-reset: 40; \
            x-ratelimitbysize-remaining-minute: 467993; ratelimitbysize-query-cost: 32007",
        ),
        (
            "60000 9@- 4@2s",
            "x-tokenlimit-limit: 60000; x-tokenlimit-remaining: 9; x-limit: 10; \
            x-remaining: 4; x-reset: 2",
        ),
        ("- - 19@5s", "x-limit: 20; x-remaining: 19; x-reset: 1755777605000"),
        (
            "- - 50@30s",
            "ratelimit: \"default\";r=50;t=30; ratelimit-policy: \"default\";q=100;w=60",
        ),
        ("- - 50@30s", "ratelimit: limit=100, remaining=50, reset=30"),
        ("- - 280@53s", "ratelimit-limit: 300; ratelimit-remaining: 280; ratelimit-reset: 53"),
    ];
    for (expected, headers) in rows {
        // In their own order and backwards; a value of the field `ratelimit` has semicolons.
        let text = format!("; {headers}").replace("; x-", "\nX-RateLimit-");
        let text = text.replace("X-RateLimit-ratelimitbysize", "x-ratelimitbysize");
        let text = text.replace("X-RateLimit-tokenlimit", "x-tokenlimit");
        let text = text.replace("; ratelimit", "\nratelimit");
        let mut pairs: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        for _ in 0..2 {
            let found = shown(RateHeaders::read(pairs.iter().copied(), NOW));
            assert_eq!(found, format!("{expected} -"), "{headers}");
            pairs.reverse();
        }
    }
}

#[test]
fn a_reset_without_an_amount_is_kept_and_of_several_the_first() {
    let headers = [("x-ratelimit-reset-requests", "20s"), ("x-ratelimit-reset-tokens", "6s")];
    let read = RateHeaders::read(headers, NOW);
    assert_eq!(read.reset, Some(Duration::from_secs(6)));
    assert!(read.limits.iter().all(|told| told.remaining().is_none()));
    let known = [("x-ratelimit-remaining-tokens", "1"), ("x-ratelimit-reset-tokens", "6s")];
    assert_eq!(RateHeaders::read(known, NOW).reset, None);
}
