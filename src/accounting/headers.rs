//! Rate limits that providers report in the headers of a response. The sources:
//!
//! - OpenAI, guide "Rate limits": `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, and
//!   `-project-tokens` where a project has a limit of its own, and `-tokens_usage_based`.
//!   A reset is a duration as Go writes
//!   it ("6m0s", "20ms"; "2m59.56s" in the docs of Groq, which has the same names).
//! - Azure OpenAI, docs and answers of Microsoft: the same names, a reset in plain seconds, and
//!   `retry-after-ms`. What Azure does not know is -1, so negative amounts are ignored.
//! - Anthropic, API docs "Rate limits": `anthropic-ratelimit-`, then `requests`, `tokens`,
//!   `input-tokens` or `output-tokens`, then `-{limit,remaining,reset}`. A reset is RFC 3339.
//! - Cerebras: the names of OpenAI with `-minute`, `-hour` or `-day` at their end. Mistral: `-tokens-minute`
//!   and `-req-minute` of the same kind, and `x-ratelimitbysize-{limit,remaining}-minute` with
//!   `ratelimitbysize-reset`, for tokens.
//! - Together: `x-tokenlimit-{limit,remaining}` for tokens, and names without a thing for requests.
//!   OpenRouter: `x-ratelimit-{limit,remaining,reset}`, a reset in milliseconds since 1970.
//! - Fireworks: the names of OpenAI with `-tokens-prompt` and `-tokens-generated`.
//! - draft-ietf-httpapi-ratelimit-headers: `ratelimit-{limit,remaining,reset}` (03 to 06), and the field
//!   `ratelimit` with `remaining=`, `reset=` (07) or `r=`, `t=` by the name of a policy (08 on).
//!   `ratelimit-policy` says how long the window of a policy is, and what it counts if not requests.
//! - RFC 9110: `retry-after` in seconds or as an HTTP-date (sections 10.2.3 and 5.6.7), and values
//!   of a repeated header that were joined with commas (section 5.3).

mod body;
mod draft;
mod names;
mod reported;
mod values;

use std::time::Duration;

use self::body::body_wait;
use self::draft::{draft_items, draft_name};
pub(super) use self::names::HeaderName;
use self::names::{Family, Field, What, parse};
pub use self::reported::{ReportedLimit, ReportedUnit};
use self::values::{
    MILLISECOND, SECOND, decimal, epoch, go_duration, http_date, merge, until, wait,
};

/// The longest name and value that are read. Real ones have about 40 bytes; the fields of the IETF
/// draft name several policies.
const LEN_MAX: usize = 128;
const DRAFT_LEN_MAX: usize = 1024;
/// The most limits that are read of one response. Real ones name six.
const LIMITS_MAX: usize = 16;

/// The rate limits that a provider's response reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// Each limit, by the name of what it counts and of its window.
    pub limits: Vec<ReportedLimit>,
    /// How long the provider asks to wait (`retry-after-ms`, else the longer one of `retry-after` and
    /// the wait in the body).
    pub retry_after: Option<Duration>,
    /// The time until the first limit is back of which nothing is said but that.
    pub reset: Option<Duration>,
}

impl RateHeaders {
    /// Reads (name, value) pairs. `wall_ns` is the wall clock in nanoseconds since 1970 UTC. Points
    /// in time are counted from it, and past ones are zero away.
    ///
    /// Names may have any case. Values that are unknown, unreadable, negative or beyond 31 days are
    /// skipped, so this never fails. Of several values of one header, the strictest counts.
    ///
    /// ```
    /// use outlay::{RateHeaders, ReportedUnit};
    ///
    /// let read = RateHeaders::read([("X-RateLimit-Remaining-Tokens", "90")], 0);
    /// let limit = &read.limits[0];
    /// assert_eq!((limit.unit(), limit.remaining()), (ReportedUnit::Tokens, Some(90)));
    /// assert_eq!(limit.reset(), None);
    /// ```
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, wall_ns: i64) -> Self {
        let mut seen = Seen::default();
        for (name, value) in headers {
            let value = value.trim_ascii();
            if name.len() <= LEN_MAX && value.len() <= DRAFT_LEN_MAX {
                seen.note(&name.to_ascii_lowercase(), value, wall_ns);
            }
        }
        seen.verdict()
    }

    /// The same with the wait that the body of an error names, if it names one. It may be a field:
    /// `retryDelay`, `retry_after`, `retry_after_ms` or `retry_after_seconds`. Or it stands in a
    /// sentence: "Please try again in 1.2s.", "retry after 26 seconds". The longer one counts of that
    /// and `retry-after`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let read = outlay::RateHeaders::default().with_body("Please try again in 6m0s.");
    /// assert_eq!(read.retry_after, Some(Duration::from_secs(360)));
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Self {
        self.retry_after = self.retry_after.max(body_wait(body));
        self
    }

    /// How long what is empty stays empty.
    pub(super) fn empty_for(&self) -> Option<Duration> {
        let empty = self.limits.iter().filter(|reported| reported.remaining() == Some(0));
        empty.filter_map(ReportedLimit::reset).max()
    }
}

/// What the headers of one limit say.
#[derive(Clone, Copy, Debug, Default)]
struct HeaderGroup {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<Duration>,
    /// The length of the window, if a policy says it.
    period: Option<Duration>,
    /// What it counts, if a policy says it; `None` inside for something else than requests or tokens.
    what: Option<Option<What>>,
}

impl HeaderGroup {
    fn note(&mut self, field: Field, value: &str, reset: impl Fn(&str) -> Option<Duration>) {
        let whole = |text: &str| decimal(text).and_then(|(n, rest)| rest.is_empty().then_some(n));
        let rounded_down = |text: &str| Some(decimal(text)?.0);
        match field {
            Field::Limit => merge(&mut self.limit, value, whole, Ord::min),
            Field::Remaining => merge(&mut self.remaining, value, rounded_down, Ord::min),
            Field::Reset => merge(&mut self.reset, value, reset, Ord::max),
        }
    }
}

/// All values that were read, by limit, so that the order of the headers does not matter.
#[derive(Debug, Default)]
struct Seen {
    limits: Vec<(HeaderName, HeaderGroup)>,
    retry_after: Option<Duration>,
    retry_after_ms: Option<Duration>,
}

impl Seen {
    fn note(&mut self, name: &str, value: &str, wall_ns: i64) {
        match name {
            "ratelimit" => return self.note_draft(value, false),
            "ratelimit-policy" => return self.note_draft(value, true),
            // The value may hold policies: `100, 100;w=60`.
            "ratelimit-limit" => return self.note_draft(value, true),
            _ if value.len() > LEN_MAX => return,
            _ => {}
        }
        if name == "retry-after" {
            let parse =
                |text: &str| wait(text, SECOND).or_else(|| until(http_date(text)?, wall_ns));
            merge(&mut self.retry_after, value, parse, Ord::max);
        } else if name == "retry-after-ms" {
            merge(&mut self.retry_after_ms, value, |text| wait(text, MILLISECOND), Ord::max);
        } else if let Some((limit, field)) = parse(name) {
            let timestamp = |text: &str| until(text.parse().ok()?, wall_ns);
            let seconds = |text: &str| wait(text, SECOND).or_else(|| epoch(text, wall_ns));
            let family = limit.family;
            let Some(group) = self.group(limit) else { return };
            match family {
                Family::Anthropic => group.note(field, value, timestamp),
                _ => group.note(field, value, |text| seconds(text).or_else(|| go_duration(text))),
            }
        }
    }

    /// Reads a field of the draft. A policy says more of its limit: its window, and what it counts.
    fn note_draft(&mut self, value: &str, is_policy: bool) {
        for item in draft_items(value) {
            let Some(group) = self.group(draft_name(item.window())) else { return };
            for (field, value) in &item.fields {
                group.note(*field, value, |text| wait(text, SECOND));
            }
            if is_policy {
                group.period = group.period.max(item.period);
                group.what = Some(item.what());
            }
        }
    }

    /// The group of a limit, or `None` if there are too many.
    fn group(&mut self, name: HeaderName) -> Option<&mut HeaderGroup> {
        let known = self.limits.iter().position(|(limit, _)| *limit == name);
        let at = known.unwrap_or(self.limits.len());
        if at >= LIMITS_MAX {
            return None;
        }
        if known.is_none() {
            self.limits.push((name, HeaderGroup::default()));
        }
        Some(&mut self.limits[at].1)
    }

    /// What counts of it. Input counts as tokens if its family does not report tokens. Output
    /// counts only if none is left of it, because then the provider takes no request.
    fn verdict(mut self) -> RateHeaders {
        self.limits.retain_mut(|(limit, group)| match group.what {
            Some(Some(what)) => {
                limit.what = what;
                true
            }
            Some(None) => false,
            None => true,
        });
        let has_tokens = |family: Family, says: fn(&HeaderGroup) -> bool| {
            let tokens = self.limits.iter().filter(|(limit, _)| limit.what == What::Tokens);
            tokens.into_iter().any(|(limit, group)| limit.family == family && says(group))
        };
        let counts = |(limit, group): &(HeaderName, HeaderGroup)| match limit.what {
            What::Tokens | What::ProjectTokens | What::UsageBasedTokens | What::Requests => true,
            What::InputTokens => {
                group.remaining == Some(0)
                    || !has_tokens(limit.family, |group| group.remaining.is_some())
            }
            What::OutputTokens => group.remaining == Some(0),
        };
        let limits_tokens = |limit: &HeaderName| match limit.what {
            What::InputTokens => !has_tokens(limit.family, |group| group.limit.is_some()),
            What::OutputTokens => false,
            _ => true,
        };
        let reported = |found: &(HeaderName, HeaderGroup)| {
            let (limit, group) = found;
            let said_period = group.period.or_else(|| limit.period());
            let period = said_period.or_else(|| limit.usual_period());
            let max = group.limit.filter(|_| limits_tokens(limit));
            let counts = counts(found);
            let (name, HeaderGroup { remaining, reset, .. }) = (limit.clone(), *group);
            let max = max.filter(|_| period.is_some());
            ReportedLimit { name, period, said_period, max, remaining, reset, counts }
        };
        let lone = self.limits.iter().filter(|(_, group)| group.remaining.is_none());
        RateHeaders {
            limits: self.limits.iter().map(reported).collect(),
            retry_after: self.retry_after_ms.or(self.retry_after),
            reset: lone.filter_map(|(_, group)| group.reset).min(),
        }
    }
}
