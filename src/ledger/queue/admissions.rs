//! The amounts that a limiter holds for callers that report their usage later, oldest first.

use std::collections::VecDeque;

use crate::accounting::{Hold, Tick};

/// An amount that is held until the next usage is recorded, or for one bucket of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission {
    pub(crate) meter: u8,
    pub(crate) hold: Hold,
    pub(crate) deadline: Tick,
}

/// The held admissions, by number.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    /// `None` for an admission that ended before an older one. Never at the front.
    held: VecDeque<Option<Admission>>,
    /// The number of the front.
    front: u64,
}

impl Admissions {
    /// Holds `admission` and returns its number.
    #[inline]
    pub(crate) fn add(&mut self, admission: Admission) -> u64 {
        self.held.push_back(Some(admission));
        self.front + self.held.len() as u64 - 1
    }

    /// Takes out the oldest admission.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Admission> {
        let admission = self.held.front_mut()?.take();
        self.trim();
        admission
    }

    /// Takes out the admission with that number, if it is still held.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Admission> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        let admission = self.held.get_mut(index)?.take();
        self.trim();
        admission
    }

    /// When the oldest admission ends.
    #[inline]
    pub(crate) fn next_over(&self) -> Option<Tick> {
        self.held.front()?.map(|admission| admission.deadline)
    }

    /// All held admissions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Admission> {
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
