//! Rate limits that providers report in the headers of a response. The sources:
//!
//! - OpenAI, guide "Rate limits": `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, and
//!   `-project-tokens` where a project has a limit of its own. A reset is a duration as Go writes
//!   it ("6m0s", "20ms"; "2m59.56s" in the docs of Groq, which has the same names).
//! - Azure OpenAI, docs and answers of Microsoft: the same names, a reset in plain seconds, and
//!   `retry-after-ms`. What Azure does not know is -1, so negative amounts are ignored.
//! - Anthropic, API docs "Rate limits": `anthropic-ratelimit-`, then `requests`, `tokens`,
//!   `input-tokens` or `output-tokens`, then `-{limit,remaining,reset}`. A reset is RFC 3339.
//! - RFC 9110: `retry-after` in seconds or as an HTTP-date (sections 10.2.3 and 5.6.7), and values
//!   of a repeated header that were joined with commas (section 5.3).

use std::cmp::Reverse;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{Timestamp, tz::Offset};

/// The longest name and value that are read. Real ones have about 40 bytes.
const LEN_MAX: usize = 128;

/// A wait beyond 31 days is a mistake, such as a Unix time read as seconds.
const WAIT_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// The digits of a fraction that are kept, and the number that they divide.
const FRACTION_DIGITS: usize = 18;
const FRACTION: u128 = 10_u128.pow(18);
const MILLISECOND: u128 = 1_000_000;
const SECOND: u128 = 1_000 * MILLISECOND;

/// The units of Go's durations, in nanoseconds. Go writes a micro sign. A library that reads
/// headers as Latin-1 passes it on as two characters.
const UNITS: [(&str, u128); 8] = [
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", MILLISECOND),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{c2}\u{b5}s", 1_000),
    ("ns", 1),
];

/// The rate limits that a provider's response reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// The tokens a minute that the provider allows.
    pub limit_tokens: Option<u64>,
    /// Tokens left, and the time until all of them are back.
    pub tokens: Option<Left>,
    /// Requests left, and the time until all of them are back.
    pub requests: Option<Left>,
    /// How long the provider asks to wait (`retry-after-ms`, else `retry-after`).
    pub retry_after: Option<Duration>,
}

/// What is left of a provider's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The tokens or requests left, fractions rounded down.
    pub remaining: u64,
    /// The time until all are back, rounded up to the nanosecond; `None` where it is not said.
    pub reset: Option<Duration>,
}

impl RateHeaders {
    /// Reads (name, value) pairs. `wall_ns` is the wall clock in nanoseconds since 1970 UTC. Points
    /// in time are counted from it, and past ones are zero away.
    ///
    /// Names may have any case. Values that are unknown, unreadable, negative or beyond 31 days are
    /// skipped, so this never fails. Of several values of one header, the strictest counts. Of
    /// several limits on one thing, the one with the least left counts, with its own reset.
    ///
    /// ```
    /// use outlay::{Left, RateHeaders};
    ///
    /// let read = RateHeaders::read([("X-RateLimit-Remaining-Tokens", "90")], 0);
    /// assert_eq!(read.tokens, Some(Left { remaining: 90, reset: None }));
    /// ```
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, wall_ns: i64) -> Self {
        let mut seen = Seen::default();
        for (name, value) in headers {
            let value = value.trim_ascii();
            if name.len() <= LEN_MAX && value.len() <= LEN_MAX {
                seen.note(&name.to_ascii_lowercase(), value, wall_ns);
            }
        }
        seen.verdict()
    }
}

/// The three headers of one limit.
#[derive(Clone, Copy, Debug, Default)]
struct HeaderGroup {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
}

impl HeaderGroup {
    fn note(&mut self, field: &str, value: &str, reset: impl Fn(&str) -> Option<Duration>) {
        let whole = |text: &str| decimal(text).and_then(|(n, rest)| rest.is_empty().then_some(n));
        let rounded_down = |text: &str| Some(decimal(text)?.0);
        match field {
            "limit" => merge(&mut self.limit, value, whole, Ord::min),
            "remaining" => merge(&mut self.remaining, value, rounded_down, Ord::min),
            "reset" => merge(&mut self.reset, value, reset, Ord::max),
            _ => {}
        }
    }

    fn left(self) -> Option<Left> {
        self.remaining.map(|remaining| Left { remaining, reset: self.reset })
    }
}

/// The limits of each family, in the order in which [`Seen`] keeps them.
const OPENAI: [&str; 3] = ["tokens", "project-tokens", "requests"];
const ANTHROPIC: [&str; 4] = ["tokens", "input-tokens", "output-tokens", "requests"];

/// All values that were read, by header, so that the order of the headers does not matter.
#[derive(Debug, Default)]
struct Seen {
    openai: [HeaderGroup; 3],
    anthropic: [HeaderGroup; 4],
    retry_after: Option<Duration>,
    retry_after_ms: Option<Duration>,
}

impl Seen {
    fn note(&mut self, name: &str, value: &str, wall_ns: i64) {
        let at = |names: &[&str], what| names.iter().position(|name| *name == what);
        if name == "retry-after" {
            let parse =
                |text: &str| wait(text, SECOND).or_else(|| until(http_date(text)?, wall_ns));
            merge(&mut self.retry_after, value, parse, Ord::max);
        } else if name == "retry-after-ms" {
            merge(&mut self.retry_after_ms, value, |text| wait(text, MILLISECOND), Ord::max);
        } else if let Some(rest) = name.strip_prefix("x-ratelimit-")
            && let Some((field, what)) = rest.split_once('-')
            && let Some(group) = at(&OPENAI, what).and_then(|at| self.openai.get_mut(at))
        {
            group.note(field, value, |text| wait(text, SECOND).or_else(|| go_duration(text)));
        } else if let Some(rest) = name.strip_prefix("anthropic-ratelimit-")
            && let Some((what, field)) = rest.rsplit_once('-')
            && let Some(group) = at(&ANTHROPIC, what).and_then(|at| self.anthropic.get_mut(at))
        {
            group.note(field, value, |text| until(text.parse().ok()?, wall_ns));
        }
    }

    /// The strictest of all limits. Input counts as tokens if tokens are not reported. Output
    /// counts only if none is left of it, because then the provider takes no request.
    fn verdict(self) -> RateHeaders {
        let [openai, project, openai_requests] = self.openai;
        let [tokens, input, output, requests] = self.anthropic;
        let limits = [openai.limit, project.limit, tokens.limit.or(input.limit)];
        let lefts = [openai.left(), project.left(), tokens.left().or(input.left())];
        let closed = [input, output].map(|group| group.left().filter(|left| left.remaining == 0));
        RateHeaders {
            limit_tokens: limits.into_iter().flatten().min(),
            tokens: strictest(lefts.into_iter().chain(closed)),
            requests: strictest([openai_requests.left(), requests.left()]),
            retry_after: self.retry_after_ms.or(self.retry_after),
        }
    }
}

/// The limit with the least left. Of equal ones, the one that comes back last.
fn strictest(lefts: impl IntoIterator<Item = Option<Left>>) -> Option<Left> {
    lefts.into_iter().flatten().min_by_key(|left| (left.remaining, Reverse(left.reset)))
}

/// Reads `value` into `place` and keeps the stricter value. Some HTTP libraries join a repeated
/// header with ", ". A date contains that text itself, so the whole value is tried first.
fn merge<T: Copy>(
    place: &mut Option<T>,
    value: &str,
    parse: impl Fn(&str) -> Option<T>,
    stricter: fn(T, T) -> T,
) {
    let parts = || value.split(", ").map(&parse).reduce(|a, b| Some(stricter(a?, b?)));
    let read = parse(value).or_else(|| parts().flatten());
    *place = place.iter().copied().chain(read).reduce(stricter);
}

/// The whole part of a decimal number, and its fraction without zeros at the end.
fn decimal(text: &str) -> Option<(u64, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = whole.parse().ok().filter(|_| digits(whole) && digits(fraction))?;
    Some((whole, fraction.trim_end_matches('0')))
}

/// A number of `unit` nanoseconds, in fractions of a nanosecond.
fn parts(text: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = decimal(text)?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS);
    let kept = digits.fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let cut = u128::from(fraction.len() > FRACTION_DIGITS);
    (u128::from(whole) * FRACTION + kept + cut).checked_mul(unit)
}

/// The duration of that many fractions of a nanosecond, rounded up.
fn rounded_up(parts: u128) -> Option<Duration> {
    let nanos = u64::try_from(parts.div_ceil(FRACTION)).ok()?;
    Some(Duration::from_nanos(nanos)).filter(|wait| *wait <= WAIT_MAX)
}

fn wait(text: &str, unit: u128) -> Option<Duration> {
    rounded_up(parts(text, unit)?)
}

/// A duration as Go writes it: numbers with units, larger units first, each at most once.
fn go_duration(text: &str) -> Option<Duration> {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let (mut rest, mut sum, mut last) = (text, 0_u128, u128::MAX);
    loop {
        let (amount, tail) = rest.split_at(rest.find(|c| !number(c))?);
        let (name, tail) = tail.split_at(tail.find(number).unwrap_or(tail.len()));
        let unit = UNITS.iter().find(|(unit, size)| *unit == name && *size < last)?.1;
        sum = sum.checked_add(parts(amount, unit)?)?;
        (rest, last) = (tail, unit);
        if rest.is_empty() {
            return rounded_up(sum);
        }
    }
}

/// A date in the three forms of RFC 9110: the usual one, that of RFC 850, and that of asctime.
fn http_date(text: &str) -> Option<Timestamp> {
    let usual = DateTimeParser::new().parse_timestamp(text).ok();
    let utc = |format| Offset::UTC.to_timestamp(DateTime::strptime(format, text).ok()?).ok();
    let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    usual.or_else(|| obsolete.into_iter().find_map(utc))
}

/// The time from now until `at`, zero where it has passed.
fn until(at: Timestamp, wall_ns: i64) -> Option<Duration> {
    let nanos = u128::try_from(at.as_nanosecond() - i128::from(wall_ns)).unwrap_or(0);
    rounded_up(nanos.checked_mul(FRACTION)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let mut pairs: Vec<_> =
                    text.split("; ").filter_map(|s| s.split_once(": ")).collect();
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
        let left = |left: Left| format!("{}@{}", left.remaining, time(left.reset));
        let [tokens, requests] = [read.tokens, read.requests].map(|of| of.map_or("-".into(), left));
        let limit = read.limit_tokens.map_or("-".into(), |limit| limit.to_string());
        format!("{limit} {tokens} {requests} {}", time(read.retry_after))
    }

    #[test]
    fn hostile_values_are_as_if_the_header_were_missing() {
        let values = format!("{HOSTILE}|{}", "1".repeat(1 << 20));
        let all = "x-limit-tokens: {}; x-remaining-tokens: {}; a-tokens-limit: {}; \
            a-requests-remaining: {}; retry-after: {}; retry-after-ms: {}; {}: 1; x-: 1; \
            x-limit: 1; x-limit-tokens-day: 1; a-tokens: 1; a-unified-limit: 1; é: 1";
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
            ("20ms", "20ms|0.02|0.02s"),
            ("3723.5s", "1h2m3.5s"),
            ("86.4s", "1m26.4s|86.4"),
            ("7.66s", "7.66s"),
            ("250µs", "250us|250µs|250Âµs"),
            ("2ns", "1.5ns|0.0000000011"),
            ("1ns", "0.0000000000000000000001"),
            ("-", "1h-2m|1m1m|1s1m|1h30|5S|1d|744h0.1ns|2678400.1|18446744073709551616s"),
            ("-", "18446744073709551615h|1755777600|2025-08-21T12:00:05Z"),
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
}
