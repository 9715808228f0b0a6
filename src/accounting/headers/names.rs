//! The names of rate-limit headers: what is limited, in which window, and what a header says of it.

use std::time::Duration;

use compact_str::CompactString;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounting) enum What {
    Tokens,
    ProjectTokens,
    /// OpenAI has a second limit of this name beside the tokens, in some tiers.
    UsageBasedTokens,
    InputTokens,
    OutputTokens,
    Requests,
}

/// The window of a limit, where its name says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::accounting) enum NamedWindow {
    /// The name does not say it.
    Unnamed,
    /// A second, a minute, an hour, a day, a month of 31 days.
    Of(Duration),
    /// The policy of that name, in the fields of the IETF draft.
    Policy(CompactString),
}

/// The three things that headers say of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounting) enum Field {
    Limit,
    Remaining,
    Reset,
}

/// Whose names they are: limits of different families are different limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::accounting) enum Family {
    OpenAi,
    Anthropic,
    BySize,
    TokenLimit,
    Draft,
}

/// A limit: what, and in which window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::accounting) struct HeaderName {
    pub(super) family: Family,
    pub(super) what: What,
    pub(super) span: NamedWindow,
}

const PREFIXES: [(&str, Family); 6] = [
    ("x-ratelimit-", Family::OpenAi),
    ("anthropic-ratelimit-", Family::Anthropic),
    ("x-ratelimitbysize-", Family::BySize),
    ("ratelimitbysize-", Family::BySize),
    ("x-tokenlimit-", Family::TokenLimit),
    ("ratelimit-", Family::Draft),
];
const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);
const WINDOWS: [(&str, Duration); 5] = [
    ("-minute", MINUTE),
    ("-second", Duration::from_secs(1)),
    ("-hour", Duration::from_secs(3600)),
    ("-day", DAY),
    ("-month", DAY.saturating_mul(31)),
];

impl HeaderName {
    /// The length of its window, if its name says it.
    pub(super) const fn period(&self) -> Option<Duration> {
        match self.span {
            NamedWindow::Of(period) => Some(period),
            NamedWindow::Unnamed | NamedWindow::Policy(_) => None,
        }
    }

    /// The length that its window has if nothing says it: limits of tokens are of a minute, with all
    /// providers.
    pub(super) const fn usual_period(&self) -> Option<Duration> {
        match (&self.span, self.what) {
            (NamedWindow::Unnamed, What::Requests) | (NamedWindow::Policy(_), _) => None,
            _ => Some(MINUTE),
        }
    }
}

/// The limit and the field that a header names, in small letters.
pub(super) fn parse(name: &str) -> Option<(HeaderName, Field)> {
    let (words, family) = PREFIXES
        .into_iter()
        .find_map(|(prefix, family)| name.strip_prefix(prefix).map(|words| (words, family)))?;
    if family == Family::Anthropic {
        let (what, field) = words.rsplit_once('-')?;
        let (what, field) = (what_of(what)?, field_of(field)?);
        return Some((HeaderName { family, what, span: NamedWindow::Unnamed }, field));
    }
    let named = WINDOWS
        .into_iter()
        .find_map(|(word, period)| Some((words.strip_suffix(word)?, NamedWindow::Of(period))));
    let (words, span) = named.unwrap_or((words, NamedWindow::Unnamed));
    let (field, what) = words.split_once('-').map_or((words, None), |(f, w)| (f, Some(w)));
    let what = match (family, what) {
        (Family::BySize | Family::TokenLimit, None) => What::Tokens,
        (Family::OpenAi | Family::Draft, None) => What::Requests,
        (Family::OpenAi, Some(what)) => what_of(what)?,
        _ => return None,
    };
    // Mistral names the window with some of the three and not with others.
    let span = match (family, span) {
        (Family::BySize, NamedWindow::Unnamed) => NamedWindow::Of(MINUTE),
        (_, span) => span,
    };
    Some((HeaderName { family, what, span }, field_of(field)?))
}

fn what_of(word: &str) -> Option<What> {
    match word {
        "tokens" => Some(What::Tokens),
        "project-tokens" => Some(What::ProjectTokens),
        "tokens_usage_based" => Some(What::UsageBasedTokens),
        "input-tokens" | "tokens-prompt" => Some(What::InputTokens),
        "output-tokens" | "tokens-generated" => Some(What::OutputTokens),
        "requests" | "req" => Some(What::Requests),
        _ => None,
    }
}

fn field_of(word: &str) -> Option<Field> {
    match word {
        "limit" => Some(Field::Limit),
        "remaining" => Some(Field::Remaining),
        "reset" => Some(Field::Reset),
        _ => None,
    }
}
