//! What happened, for those who listen. Nobody listening costs one load.

use std::sync::Arc;

use smallvec::SmallVec;

use super::core::Core;
use crate::accounting::{Key, Tick, Unit};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A lease was opened.
    Reserved,
    /// A lease ended with what was used.
    Committed,
    /// A lease ended and used nothing.
    Released,
    /// A lease ran out or was dropped.
    Expired,
    /// An amount was booked at once.
    Charged,
    /// A request was refused.
    Denied,
    /// `used` crossed the warning mark of a meter.
    Warned,
}

/// One event of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The account's id.
    pub key: Key,
    /// The lease, where one is meant.
    pub lease: Option<u64>,
    /// How much, by unit.
    pub amounts: SmallVec<[(Unit, u64); 2]>,
    /// When.
    pub tick: Tick,
}

/// Events gathered under a lock, with the core that is told, to be sent after it.
#[derive(Default)]
pub(crate) struct Outbox(Vec<(Arc<Core>, Event)>);

impl Outbox {
    pub(crate) fn push(&mut self, core: &Arc<Core>, event: Event) {
        self.0.push((Arc::clone(core), event));
    }

    /// Sends what was gathered. The caller holds no account's lock.
    #[inline]
    pub(crate) fn send(self) {
        if !self.0.is_empty() {
            self.send_all();
        }
    }

    #[cold]
    fn send_all(self) {
        for (core, event) in self.0 {
            core.tell(&event);
        }
    }
}
