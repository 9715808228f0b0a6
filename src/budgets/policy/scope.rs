//! Scopes: patterns on labels that say which requests a rule matches.

use crate::accounting::{Invalid, model_names};

/// The labels of one request.
pub type Labels<'a> = [(&'a str, &'a str)];

/// A pattern on the value of a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Any value. Each value has its own counter.
    Each,
    /// This text.
    Exactly(String),
    /// A text in which `*` means any text. All matching values share a counter.
    Like(Vec<String>),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Self {
        match text {
            "*" => Self::Each,
            _ if text.contains('*') => Self::Like(text.split('*').map(str::to_owned).collect()),
            _ => Self::Exactly(text.to_owned()),
        }
    }

    /// Whether `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Each => true,
            Self::Exactly(text) => text == value,
            Self::Like(parts) => matches_parts(parts, value),
        }
    }
}

/// Whether `value` consists of the parts with any text between them.
fn matches_parts(parts: &[String], value: &str) -> bool {
    let [first, middle @ .., last] = parts else { return false };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Each => f.write_str("*"),
            Self::Exactly(text) => f.write_str(text),
            Self::Like(parts) => f.write_str(&parts.join("*")),
        }
    }
}

/// Patterns by label; all of them must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(pub Vec<(String, Pattern)>);

impl Scope {
    /// Adds a pattern.
    ///
    /// # Errors
    /// The label is there already.
    pub fn add(&mut self, label: &str, pattern: Pattern) -> Result<(), Invalid> {
        if self.names(label) {
            return Err(Invalid::sentence(format!(
                "scope has a second pattern for the label {label:?}; keep one"
            )));
        }
        self.0.push((label.to_owned(), pattern));
        // Sorted: the same patterns in another order are the same scope.
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(())
    }

    /// Whether it has a pattern for that label.
    pub fn names(&self, label: &str) -> bool {
        self.0.iter().any(|(name, _)| name == label)
    }

    /// The label values that select its counter, or `None` if the labels do not match.
    pub fn values<'a>(&self, labels: &Labels<'a>) -> Option<Vec<&'a str>> {
        let mut values = Vec::new();
        for (name, pattern) in &self.0 {
            let value = label(labels, name)?;
            let meant = match name.as_str() {
                "model" => is_of(pattern, value, labels),
                _ => pattern.matches(value),
            };
            if !meant {
                return None;
            }
            if *pattern == Pattern::Each {
                values.push(value);
            }
        }
        Some(values)
    }
}

/// The value of a label.
pub(crate) fn label<'a>(labels: &Labels<'a>, name: &str) -> Option<&'a str> {
    labels.iter().find(|(label, _)| *label == name).map(|(_, value)| *value)
}

/// Whether these are the labels of the call of a tool. A request with a model is the call of that
/// model, whatever other labels it has.
pub(crate) fn is_tool_call(labels: &Labels<'_>) -> bool {
    label(labels, "tool").is_some() && label(labels, "model").is_none()
}

/// Whether a pattern matches one of the names of a model, or a pattern such as `openai:gpt-*` the
/// model of that provider.
fn is_of(pattern: &Pattern, model: &str, labels: &Labels<'_>) -> bool {
    let provider = label(labels, "provider");
    let at = |name| provider.is_some_and(|of| pattern.matches(&format!("{of}:{name}")));
    model_names(model).any(|name| pattern.matches(name) || at(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_pattern_stands_for_any_text() {
        for (pattern, value, matches) in [
            ("gpt-*", "gpt-5", true),
            ("gpt-*", "gp", false),
            ("*-mini", "gpt-5-mini", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(value), matches, "{pattern} {value}");
        }
    }

    #[test]
    fn a_model_may_be_named_with_its_provider() {
        let scope = Scope(vec![("model".into(), Pattern::parse("openai:*"))]);
        assert!(scope.values(&[("model", "gpt-5"), ("provider", "openai")]).is_some());
        assert!(scope.values(&[("model", "openai:gpt-5")]).is_some());
        assert!(scope.values(&[("model", "gpt-5"), ("provider", "azure")]).is_none());
        assert!(scope.values(&[("model", "gpt-5")]).is_none());
        assert!(scope.values(&[]).is_none(), "a request without the label is not meant");
    }
}
