//! Whether a request is only held: it would pass once leases that are open have ended.

use std::time::Duration;

/// Whether a request is only held.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// It is not: it passes, or (`true`) something else refuses it.
    Not(bool),
    /// It is, until leases that are open have run out; `None` where they never do.
    For(Option<Duration>),
}

impl Held {
    /// Of two that are asked together.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Not(true), _) | (_, Self::Not(true)) => Self::Not(true),
            (Self::Not(false), one) | (one, Self::Not(false)) => one,
            (Self::For(one), Self::For(other)) => {
                Self::For(one.and_then(|one| Some(one.max(other?))))
            }
        }
    }
}
