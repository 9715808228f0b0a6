//! What happened, for those who listen. Nobody listening costs one load.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::core::Core;
use super::mailbox::Mailbox;
use super::turn::Turn;
use super::wait::try_again;
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
    /// A request passed that a soft limit would have refused if it were hard.
    Exceeded,
    /// A request passed that no rule is about.
    Unmatched,
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
    /// The labels of a request that no rule is about.
    pub labels: Vec<(String, String)>,
}

/// What is to be done once the locks are free: events to tell, waits to try again, mailboxes to
/// wake.
#[derive(Default)]
pub(crate) struct Outbox {
    events: Vec<(Arc<Core>, Event)>,
    waits: Option<Box<Waits>>,
}

#[derive(Default)]
struct Waits {
    again: VecDeque<Arc<Turn>>,
    wakes: Vec<Arc<Mailbox>>,
}

impl Outbox {
    pub(crate) fn push(&mut self, core: &Arc<Core>, event: Event) {
        self.events.push((Arc::clone(core), event));
    }

    /// Tries `turn` again, under the locks of all its accounts.
    pub(crate) fn try_again(&mut self, turn: &Arc<Turn>) {
        let again = &mut self.waits.get_or_insert_default().again;
        if !again.iter().any(|other| Arc::ptr_eq(other, turn)) {
            again.push_back(Arc::clone(turn));
        }
    }

    /// Wakes the owner of `mailbox`, once.
    pub(crate) fn wake(&mut self, mailbox: &Arc<Mailbox>) {
        let wakes = &mut self.waits.get_or_insert_default().wakes;
        // Nearly always the same as the last: an event loop.
        if !wakes.iter().rev().take(8).any(|other| Arc::ptr_eq(other, mailbox)) {
            wakes.push(Arc::clone(mailbox));
        }
    }

    /// Sends what was gathered. The caller holds no account's lock.
    #[inline]
    pub(crate) fn send(self) {
        if !self.events.is_empty() || self.waits.is_some() {
            self.send_all();
        } else {
            // It owns nothing. Dropping it costs more than booking an amount.
            std::mem::forget(self);
        }
    }

    /// Listeners come last: one that panics takes nobody's turn.
    #[cold]
    fn send_all(mut self) {
        // Each may let the next one pass: they are as many as wait, so one after the other.
        while let Some(turn) = self.waits.as_mut().and_then(|waits| waits.again.pop_front()) {
            try_again(&turn, &mut self);
        }
        if let Some(waits) = self.waits {
            waits.wakes.iter().for_each(|mailbox| mailbox.wake());
        }
        for (core, event) in self.events {
            core.tell(&event);
        }
    }
}
