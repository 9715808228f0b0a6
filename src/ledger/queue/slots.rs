//! What a limiter holds for callers that report their usage later, in the order of giving.

use std::collections::VecDeque;

use crate::accounting::{Hold, Tick};

/// An amount that is held until the next usage is recorded, or for a slot of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) meter: u8,
    pub(crate) hold: Hold,
    pub(crate) deadline: Tick,
}

/// The slots that are held, by number.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// `None` for one that has ended before an older one; never at the front.
    held: VecDeque<Option<Slot>>,
    /// The number of the front.
    front: u64,
}

impl Slots {
    /// Holds `slot`; its number.
    #[inline]
    pub(crate) fn add(&mut self, slot: Slot) -> u64 {
        self.held.push_back(Some(slot));
        self.front + self.held.len() as u64 - 1
    }

    /// Takes out the oldest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        let slot = self.held.front_mut()?.take();
        self.trim();
        slot
    }

    /// Takes out the one of that number, if it is still held.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Slot> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        let slot = self.held.get_mut(index)?.take();
        self.trim();
        slot
    }

    /// When the oldest is over.
    #[inline]
    pub(crate) fn next_over(&self) -> Option<Tick> {
        self.held.front()?.map(|slot| slot.deadline)
    }

    /// All that are held.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.held.iter().flatten()
    }

    #[inline]
    fn trim(&mut self) {
        while let Some(None) = self.held.front() {
            self.held.pop_front();
            self.front += 1;
        }
    }
}
