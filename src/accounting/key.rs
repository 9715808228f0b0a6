//! Identifiers: any text of 1 to 1,024 bytes.

use std::borrow::Borrow;
use std::fmt;

use compact_str::CompactString;

use super::invalid::Invalid;

/// The longest identifier, in bytes of UTF-8.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// An identifier (of an agent, a workflow, ...): any text of 1 to 1,024 bytes of UTF-8.
///
/// Up to 24 bytes are kept in place, without a second allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(CompactString);

impl Key {
    /// Checks `text`. An error names `argument`.
    pub fn parse(argument: &str, text: &str) -> Result<Self, Invalid> {
        Self::check(argument, text).map(|()| Self(CompactString::new(text)))
    }

    /// Checks the length of `text`.
    #[inline]
    pub(crate) fn check(argument: &str, text: &str) -> Result<(), Invalid> {
        match text.len() {
            1..=KEY_BYTES_MAX => Ok(()),
            0 => Err(Invalid::id(argument, "text of 1 to 1024 bytes, not empty")),
            n => Err(Invalid::id(argument, &format!("text of 1 to 1024 bytes of UTF-8, not {n}"))),
        }
    }

    /// A name that this crate itself gives.
    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(CompactString::const_new(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_within_the_bounds_is_a_key() {
        for id in ["a", "\"", "{}", "a\nb", "\0", "\u{202e}x", "🦀", &"x".repeat(1024)] {
            assert_eq!(
                Key::parse("agent_id", id).map(|key| key.as_str().to_owned()),
                Ok(id.to_owned())
            );
        }
    }

    #[test]
    fn empty_and_too_long_are_refused_with_the_name() {
        for id in ["", &"x".repeat(1025), &"é".repeat(513)] {
            let error = Key::parse("agent_id", id).unwrap_err();
            assert!(error.message.starts_with("agent_id must be"), "{error}");
        }
    }
}
