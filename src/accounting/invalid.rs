//! Bad input: an error that names the argument and what is allowed.

use std::fmt;

/// Which kind of input was bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidKind {
    /// An amount: negative, fractional, not a number, too large.
    Amount,
    /// An identifier: empty, too long, not text.
    Id,
    /// A setting that makes no sense: a threshold above the capacity, a period of zero.
    Policy,
}

/// Bad input. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What kind of input.
    pub kind: InvalidKind,
    /// The argument's name and what is allowed, as a sentence.
    pub message: String,
}

impl Invalid {
    /// A bad amount.
    pub fn amount(argument: &str, allowed: &str) -> Self {
        Self { kind: InvalidKind::Amount, message: format!("{argument} must be {allowed}") }
    }

    /// A bad identifier.
    pub fn id(argument: &str, allowed: &str) -> Self {
        Self { kind: InvalidKind::Id, message: format!("{argument} must be {allowed}") }
    }

    /// A setting that makes no sense, in a sentence of its own.
    pub(crate) const fn sentence(message: String) -> Self {
        Self { kind: InvalidKind::Policy, message }
    }

    /// A setting that makes no sense.
    pub fn policy(argument: &str, allowed: &str) -> Self {
        Self { kind: InvalidKind::Policy, message: format!("{argument} must be {allowed}") }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}
