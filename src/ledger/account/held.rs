//! Whether a request is only held back by open leases, and would pass once they have ended.

use std::time::Duration;

/// Whether a request is only held back by open leases.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// It is not: it passes, or (`true`) something else refuses it.
    Not(bool),
    /// It is, until these leases have run out. `None` if they never do.
    For(Option<Duration>),
}

impl Held {
    /// The result for two demands that are asked together.
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
