//! Why a request does not pass at once: what is held, or with other processes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::queue::turn::Turn;
use crate::ledger::supply::Supply;

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

/// Whether a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    /// The limits are known to leave it, and only shares are too small. The first such demand.
    Short(usize),
    /// A limit refuses it, or an older wait does that waits for more than the store.
    Refused(usize),
}

/// What an account of shared limits has beside its meters.
#[derive(Debug)]
pub(crate) struct Supplied {
    pub(crate) supply: Arc<dyn Supply>,
    /// Whether it hears of each booking.
    pub(crate) keeps: bool,
    /// Requests that wait and ask of this account, by ticket. Each is in one queue, here or in
    /// another account.
    pub(crate) waiting: BTreeMap<u64, Arc<Turn>>,
}
