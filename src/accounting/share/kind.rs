//! What a share is, and what counts as taken.

use crate::accounting::window::Window;
use crate::seeded::{self, Bug};

/// What a share is. It depends on the window of its limit alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareKind {
    /// An amount of one era (lifetime, fixed and calendar windows). It ends with its era.
    Amount,
    /// So much of a sliding window, for as long as it is held.
    Rate,
    /// So many open requests (gauges).
    Open,
}

impl ShareKind {
    /// The kind for limits in such a window.
    pub const fn of(window: &Window) -> Self {
        match window {
            Window::Lifetime | Window::Fixed { .. } | Window::Calendar(_) => Self::Amount,
            Window::Sliding(_) => Self::Rate,
            Window::Gauge => Self::Open,
        }
    }

    /// Whether the store takes it back from a holder that was not heard of for long. Of an amount
    /// nobody knows whether it was spent.
    pub const fn lapses(self) -> bool {
        !matches!(self, Self::Amount)
    }
}

/// What counts as taken of a limit for one holder: its share, or what it uses beyond it.
pub(crate) fn taken(granted: u64, spent: u64, held: u64) -> u64 {
    if seeded::has(Bug::OverrunBesideHold) {
        return granted.max(spent).max(held);
    }
    granted.max(spent.saturating_add(held))
}
