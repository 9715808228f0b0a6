//! Reads the tables of a policy key by key. An error names the file, the line, and what is allowed.

use std::time::Duration;

use super::node::{Node, Value};
use crate::accounting::{Invalid, InvalidKind, Key, LONGEST, MicroUsd};

/// The place of a value: its file, its path of keys and its line.
#[derive(Clone, Debug)]
pub(super) struct Location {
    file: String,
    path: String,
    line: Option<usize>,
    /// A number that grows from the beginning of the policy to its end.
    pub(super) order: u32,
}

impl Location {
    pub(super) fn root(file: &str) -> Self {
        Self { file: file.to_owned(), path: String::new(), line: None, order: 0 }
    }

    pub(super) fn inside(&self, key: &str, node: &Node) -> Self {
        let dot = if self.path.is_empty() || key.starts_with('[') { "" } else { "." };
        Self {
            file: self.file.clone(),
            path: format!("{}{dot}{key}", self.path),
            line: node.line.or(self.line),
            order: node.order,
        }
    }

    /// An error at this place.
    pub(super) fn error(&self, what: &str) -> Invalid {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let path = if self.path.is_empty() { String::new() } else { format!(" {}:", self.path) };
        let message = format!("{}{line}:{path} {what}", self.file);
        Invalid { kind: InvalidKind::Policy, message }
    }

    fn must_be(&self, allowed: &str, node: &Node) -> Invalid {
        self.error(&format!("must be {allowed}, not {}", node.value.shown()))
    }

    /// The error of a check, at this place.
    fn at(&self, bad: &Invalid) -> Invalid {
        self.error(&bad.message)
    }

    pub(super) fn text<'a>(&self, node: &'a Node) -> Result<&'a str, Invalid> {
        match &node.value {
            Value::Text(text) if !text.is_empty() => Ok(text),
            _ => Err(self.must_be("text", node)),
        }
    }

    /// An id: text of 1 to 1,024 bytes.
    pub(super) fn id(&self, node: &Node) -> Result<String, Invalid> {
        let text = self.text(node)?;
        Key::check("it", text).map_err(|bad| self.at(&bad))?;
        Ok(text.to_owned())
    }

    pub(super) fn whole(&self, node: &Node) -> Result<u64, Invalid> {
        match node.value {
            Value::Integer(number) => Ok(number),
            _ => Err(self.must_be("a whole number of 0 or more", node)),
        }
    }

    pub(super) fn flag(&self, node: &Node) -> Result<bool, Invalid> {
        match &node.value {
            Value::Other(text) if text == "true" => Ok(true),
            Value::Other(text) if text == "false" => Ok(false),
            _ => Err(self.must_be("true or false", node)),
        }
    }

    /// US dollars as text, or a whole number of them.
    pub(super) fn usd(&self, node: &Node) -> Result<u64, Invalid> {
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(dollars) => dollars.to_string(),
            _ => return Err(self.must_be("US dollars as text such as \"12.34\"", node)),
        };
        MicroUsd::parse("it", &text).map(|usd| usd.0).map_err(|bad| self.at(&bad))
    }

    /// A share above 0 and at most 1, in millionths.
    pub(super) fn share(&self, node: &Node) -> Result<u64, Invalid> {
        let text = match &node.value {
            Value::Integer(whole) => whole.to_string(),
            Value::Other(text) | Value::Text(text) => text.clone(),
            _ => String::new(),
        };
        match MicroUsd::parse("it", &text) {
            Ok(MicroUsd(share)) if share > 0 && share <= 1_000_000 => Ok(share),
            _ => Err(self.must_be("a share above 0 and at most 1 such as 0.8", node)),
        }
    }

    /// "30s", "10m", "24h", "7d", "2w", or whole seconds.
    pub(super) fn duration(&self, node: &Node) -> Result<Duration, Invalid> {
        let read = match &node.value {
            Value::Integer(seconds) => Some(Duration::from_secs(*seconds)),
            Value::Text(text) => parse_duration(text),
            _ => None,
        };
        read.filter(|duration| !duration.is_zero() && *duration <= LONGEST).ok_or_else(|| {
            let allowed = "a duration such as \"30s\", \"10m\", \"24h\", \"7d\" or \"2w\", more than \
                           0 and at most 100 years";
            self.must_be(allowed, node)
        })
    }

    /// The meaning of one of `words`.
    pub(super) fn word<T: Copy>(&self, node: &Node, words: &[(&str, T)]) -> Result<T, Invalid> {
        let known = match &node.value {
            Value::Text(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        known.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.must_be(&format!("one of {}", allowed.join(", ")), node)
        })
    }

    pub(super) fn list<'a>(&self, node: &'a Node) -> Result<&'a [Node], Invalid> {
        match &node.value {
            Value::List(items) => Ok(items),
            _ => Err(self.must_be("a list", node)),
        }
    }

    pub(super) fn table<'a>(&self, node: &'a Node) -> Result<Table<'a>, Invalid> {
        match &node.value {
            Value::Table(entries) => {
                Ok(Table { place: self.clone(), entries, taken: vec![false; entries.len()] })
            }
            _ => Err(self.must_be("a table", node)),
        }
    }
}

/// A table whose keys are read one by one. [`only`](Self::only) refuses unknown keys.
pub(super) struct Table<'a> {
    pub(super) place: Location,
    entries: &'a [(String, Node)],
    taken: Vec<bool>,
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there.
    pub(super) fn take(&mut self, key: &str) -> Option<(Location, &'a Node)> {
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        self.taken[index] = true;
        let (name, node) = &self.entries[index];
        Some((self.place.inside(name, node), node))
    }

    /// The value of a key as `read` reads it.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Location, &'a Node) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        self.take(key).map(|(place, node)| read(&place, node)).transpose()
    }

    /// The value of a key that must be there.
    pub(super) fn need<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Location, &'a Node) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let missing = self.place.error(&format!("{key:?} is missing"));
        self.read(key, read)?.ok_or(missing)
    }

    /// All entries that were not read yet.
    pub(super) fn remaining_entries(&mut self) -> Vec<(&'a str, Location, &'a Node)> {
        let untaken = self.entries.iter().zip(&mut self.taken).filter(|(_, taken)| !**taken);
        let mut remaining = Vec::new();
        for ((name, node), taken) in untaken {
            *taken = true;
            remaining.push((name.as_str(), self.place.inside(name, node), node));
        }
        remaining
    }

    /// Refuses keys that are not in `allowed`.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<(), Invalid> {
        let unknown = self.entries.iter().find(|(name, _)| !allowed.contains(&name.as_str()));
        let Some((name, node)) = unknown else { return Ok(()) };
        let place = self.place.inside(name, node);
        let known = format!("unknown key {name:?}; allowed are {}", allowed.join(", "));
        Err(place.error(&known))
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let seconds = match &text[digits..] {
        "ms" => return Some(Duration::from_millis(number)),
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}
