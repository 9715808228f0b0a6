//! The fields `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers, in all of
//! its forms: `"default";r=50;t=30`, `limit=100, remaining=50, reset=30`, `100;w=60`.

use std::time::Duration;

use compact_str::CompactString;

use super::names::{Family, Field, HeaderName, NamedWindow, What};
use super::values::{SECOND, decimal, wait};

/// What one of the two fields says of one policy.
#[derive(Debug, Default)]
pub(super) struct DraftItem<'a> {
    /// The name of the policy, empty if it has none.
    name: &'a str,
    /// What remains, the reset, and the limit, as they stand there.
    pub(super) fields: Vec<(Field, &'a str)>,
    /// The length of the window.
    pub(super) period: Option<Duration>,
    /// The unit, if it says one.
    unit: Option<&'a str>,
}

impl DraftItem<'_> {
    /// The window that it is about.
    pub(super) fn window(&self) -> NamedWindow {
        match self.name {
            "" => NamedWindow::Unnamed,
            name => NamedWindow::Policy(CompactString::new(name)),
        }
    }

    /// What it counts, or `None` for something that is neither requests nor tokens.
    pub(super) fn what(&self) -> Option<What> {
        match self.unit {
            None | Some("requests") => Some(What::Requests),
            Some("tokens") => Some(What::Tokens),
            Some(_) => None,
        }
    }
}

/// The limit of a window in the draft. What it counts is decided later, by its policy.
pub(super) const fn draft_name(span: NamedWindow) -> HeaderName {
    HeaderName { family: Family::Draft, what: What::Requests, span }
}

/// The items of one of the fields. Those without a name are one.
pub(super) fn draft_items(value: &str) -> Vec<DraftItem<'_>> {
    let mut items: Vec<DraftItem<'_>> = Vec::new();
    for item in split(value, ',') {
        let mut read = DraftItem::default();
        for (place, part) in split(item, ';').into_iter().enumerate() {
            let part = part.trim();
            match part.split_once('=').filter(|_| !part.starts_with('"')) {
                Some((key, value)) => read.note(key.trim(), value.trim()),
                None if place == 0 => read.begin(part),
                None => {}
            }
        }
        match items.iter_mut().find(|known| known.name.is_empty() && read.name.is_empty()) {
            Some(known) => {
                known.fields.extend(read.fields);
                known.period = known.period.or(read.period);
            }
            None => items.push(read),
        }
    }
    items
}

impl<'a> DraftItem<'a> {
    /// The first part: the name of a policy, or its limit in the older drafts.
    fn begin(&mut self, part: &'a str) {
        if decimal(part).is_some() {
            self.fields.push((Field::Limit, part));
        } else {
            self.name = part.trim_matches('"');
        }
    }

    fn note(&mut self, key: &str, value: &'a str) {
        match key {
            "r" | "remaining" => self.fields.push((Field::Remaining, value)),
            "t" | "reset" => self.fields.push((Field::Reset, value)),
            "q" | "limit" => self.fields.push((Field::Limit, value)),
            "w" | "window" => self.period = wait(value, SECOND).filter(|w| !w.is_zero()),
            "qu" => self.unit = Some(value.trim_matches('"')),
            _ => {}
        }
    }
}

/// The parts of a text between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}
