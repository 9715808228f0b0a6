//! The outbox of one step: what is sent once the locks are free.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mailbox::Mailbox;
use crate::ledger::core::Core;
use crate::ledger::core::event::Event;
use crate::ledger::supply::Supply;

/// A wait over several accounts. It is decided under all their locks, once one lock is free.
pub(crate) trait Again: Send + Sync {
    /// Decides it again. The caller holds no lock of an account.
    fn again(&self, outbox: &mut Outbox);
}

/// What a step leaves to be sent: events, waits to try again, mailboxes to wake.
#[derive(Default)]
pub(crate) struct Outbox {
    events: Vec<(Arc<Core>, Event)>,
    waits: Option<Box<Waits>>,
}

/// What a supply hears.
type SupplyCall = (Arc<dyn Supply>, Box<dyn FnOnce(&dyn Supply)>);

#[derive(Default)]
struct Waits {
    calls: Vec<SupplyCall>,
    again: VecDeque<Arc<dyn Again>>,
    wakes: Vec<Arc<Mailbox>>,
}

impl Outbox {
    /// Puts the events of one step over several accounts in the order of their rules. `before` is the
    /// number of the events that were there before it.
    #[cold]
    fn sort_events(&mut self, before: usize) {
        if let Some(events) = self.events.get_mut(before..) {
            events.sort_by_key(|(_, event)| event.order());
        }
    }

    /// The number of events so far.
    #[inline]
    pub(crate) fn events(&self) -> usize {
        self.events.len()
    }

    /// Puts the events since `before` in order, if there are any.
    #[inline]
    pub(crate) fn in_order(&mut self, before: usize) {
        if self.events.len() > before {
            self.sort_events(before);
        }
    }

    pub(crate) fn push(&mut self, core: &Arc<Core>, event: Event) {
        self.events.push((Arc::clone(core), event));
    }

    /// Tries `wait` again later, under the locks of all its accounts.
    pub(crate) fn try_again(&mut self, wait: Arc<dyn Again>) {
        let again = &mut self.waits.get_or_insert_default().again;
        if !again.iter().any(|other| Arc::ptr_eq(other, &wait)) {
            again.push_back(wait);
        }
    }

    /// Tells a supply something later.
    pub(crate) fn tell(
        &mut self,
        supply: &Arc<dyn Supply>,
        say: impl FnOnce(&dyn Supply) + 'static,
    ) {
        let calls = &mut self.waits.get_or_insert_default().calls;
        calls.push((Arc::clone(supply), Box::new(say)));
    }

    /// Wakes the owner of `mailbox`, once.
    pub(crate) fn wake(&mut self, mailbox: &Arc<Mailbox>) {
        let wakes = &mut self.waits.get_or_insert_default().wakes;
        // Nearly always it is the last one: an event loop.
        if !wakes.iter().rev().take(8).any(|other| Arc::ptr_eq(other, mailbox)) {
            wakes.push(Arc::clone(mailbox));
        }
    }

    /// Sends everything. The caller holds no lock of an account.
    #[inline]
    pub(crate) fn send(self) {
        if !self.events.is_empty() || self.waits.is_some() {
            self.send_all();
        } else {
            // It is empty. Dropping it would cost more than booking an amount.
            std::mem::forget(self);
        }
    }

    /// Calls the listeners last: a listener that panics cannot take a turn from a wait.
    #[cold]
    fn send_all(mut self) {
        // Each wait may let the next one pass. So they are tried one after the other.
        while let Some(wait) = self.waits.as_mut().and_then(|waits| waits.again.pop_front()) {
            wait.again(&mut self);
        }
        if let Some(waits) = self.waits {
            waits.wakes.iter().for_each(|mailbox| mailbox.wake());
            waits.calls.into_iter().for_each(|(supply, say)| say(&*supply));
        }
        for (core, event) in self.events {
            core.tell(&event);
        }
    }
}
