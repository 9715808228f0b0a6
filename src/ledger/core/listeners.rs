//! The listeners of a core, in the order in which they came. None ever goes.
//!
//! They are read without a lock: a forked child reads those of its parent.

use std::sync::Arc;

use once_cell::race::OnceBox;

use super::event::Event;

/// What is called for events.
pub(super) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Listeners, each with the bits of the kinds that it listens to.
#[derive(Default)]
pub(super) struct EventListeners(OnceBox<Listening>);

struct Listening {
    kinds: u16,
    listener: Listener,
    next: EventListeners,
}

impl EventListeners {
    pub(super) fn add(&self, kinds: u16, listener: Listener) {
        let mut added = Box::new(Listening { kinds, listener, next: Self::default() });
        let mut end = self;
        while let Err(back) = end.0.set(added) {
            added = back;
            // Set by another thread, or long ago.
            while let Some(one) = end.0.get() {
                end = &one.next;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &Listener)> {
        let mut next = self;
        std::iter::from_fn(move || {
            let one = next.0.get()?;
            next = &one.next;
            Some((one.kinds, &one.listener))
        })
    }
}
