//! The names of rate-limit headers: what is limited, in which window, and what a header says of it.

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Tokens,
    ProjectTokens,
    InputTokens,
    OutputTokens,
    Requests,
}

/// The window of a limit, where its name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedWindow {
    /// The name does not say it: a minute, with all providers that limit tokens.
    Unnamed,
    Minute,
    /// A second, an hour, a day, a month. Their maximum is not that of a minute.
    Other(&'static str),
}

/// The three things that headers say of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Limit,
    Remaining,
    Reset,
}

/// Whose names they are: limits of different families are different limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Anthropic,
    BySize,
    TokenLimit,
    Draft,
}

/// A limit: what, and in which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LimitName {
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
const SPANS: [(&str, NamedWindow); 5] = [
    ("-minute", NamedWindow::Minute),
    ("-second", NamedWindow::Other("second")),
    ("-hour", NamedWindow::Other("hour")),
    ("-day", NamedWindow::Other("day")),
    ("-month", NamedWindow::Other("month")),
];

/// The limit and the field that a header names, in small letters.
pub(super) fn parse(name: &str) -> Option<(LimitName, Field)> {
    let (words, family) = PREFIXES
        .into_iter()
        .find_map(|(prefix, family)| name.strip_prefix(prefix).map(|words| (words, family)))?;
    if family == Family::Anthropic {
        let (what, field) = words.rsplit_once('-')?;
        let (what, field) = (what_of(what)?, field_of(field)?);
        return Some((LimitName { family, what, span: NamedWindow::Unnamed }, field));
    }
    let named = SPANS.into_iter().find_map(|(word, span)| Some((words.strip_suffix(word)?, span)));
    let (words, span) = named.unwrap_or((words, NamedWindow::Unnamed));
    let (field, what) = words.split_once('-').map_or((words, None), |(f, w)| (f, Some(w)));
    let what = match (family, what) {
        (Family::BySize | Family::TokenLimit, None) => What::Tokens,
        (Family::OpenAi | Family::Draft, None) => What::Requests,
        (Family::OpenAi, Some(what)) => what_of(what)?,
        _ => return None,
    };
    // Mistral names the window with some of the three and not with others.
    let span = if (family, span) == (Family::BySize, NamedWindow::Unnamed) {
        NamedWindow::Minute
    } else {
        span
    };
    Some((LimitName { family, what, span }, field_of(field)?))
}

fn what_of(word: &str) -> Option<What> {
    match word {
        "tokens" => Some(What::Tokens),
        "project-tokens" => Some(What::ProjectTokens),
        "input-tokens" => Some(What::InputTokens),
        "output-tokens" => Some(What::OutputTokens),
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

/// What the field `RateLimit` says: what remains, and the seconds until it resets.
/// Both forms of the drafts: `"default";r=50;t=30`, and `limit=100, remaining=50, reset=30`.
pub(super) fn draft(value: &str) -> Vec<(Field, &str)> {
    let parameters = value.split([';', ',']).filter_map(|part| part.trim().split_once('='));
    parameters
        .filter_map(|(key, value)| match key.trim() {
            "r" | "remaining" => Some((Field::Remaining, value.trim())),
            "t" | "reset" => Some((Field::Reset, value.trim())),
            _ => None,
        })
        .collect()
}
