//! What is sent once the locks are free.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mailbox::Mailbox;
use crate::ledger::core::Core;
use crate::ledger::core::event::Event;

/// A wait that spans several accounts: to be decided under all their locks, once one is free.
pub(crate) trait Again: Send + Sync {
    /// Decides it anew. The caller holds no account's lock.
    fn again(&self, outbox: &mut Outbox);
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
    again: VecDeque<Arc<dyn Again>>,
    wakes: Vec<Arc<Mailbox>>,
}

impl Outbox {
    pub(crate) fn push(&mut self, core: &Arc<Core>, event: Event) {
        self.events.push((Arc::clone(core), event));
    }

    /// Tries `wait` again, under the locks of all its accounts.
    pub(crate) fn try_again(&mut self, wait: Arc<dyn Again>) {
        let again = &mut self.waits.get_or_insert_default().again;
        if !again.iter().any(|other| Arc::ptr_eq(other, &wait)) {
            again.push_back(wait);
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
        while let Some(wait) = self.waits.as_mut().and_then(|waits| waits.again.pop_front()) {
            wait.again(&mut self);
        }
        if let Some(waits) = self.waits {
            waits.wakes.iter().for_each(|mailbox| mailbox.wake());
        }
        for (core, event) in self.events {
            core.tell(&event);
        }
    }
}
