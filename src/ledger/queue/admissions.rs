//! The amounts that a limiter holds for callers that report their usage later, oldest first.
//!
//! Up to [`EXACT`] admissions are held one by one. Those beyond share entries: all that come within
//! a small part of a bucket are one entry, which keeps their sum and their number. So memory does
//! not grow with the number of admissions.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::accounting::{Hold, Tick};
use crate::ledger::claim::MeterIndex;

/// The number of entries from which on admissions share them.
pub(crate) const EXACT: usize = 1024;
/// How many shared entries begin in one bucket at most.
const PARTS: u32 = 1024;

/// An amount that is held until the next usage is recorded, or for one bucket of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission {
    pub(crate) meter: MeterIndex,
    pub(crate) hold: Hold,
    pub(crate) deadline: Tick,
}

/// The held admissions, by number.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    /// Oldest first, by number and by deadline.
    held: VecDeque<Entry>,
    /// The number of the next admission.
    next: u64,
    /// Numbers of shared entries that ended before an older one.
    ended: BTreeSet<u64>,
}

/// Consecutive admissions that end together: nearly always one.
#[derive(Debug)]
struct Entry {
    /// What all of them hold, and the latest time at which one of them ends.
    admission: Admission,
    /// The number of the oldest one, and the first number after them.
    first: u64,
    until: u64,
    /// How many of them are still held.
    left: u64,
}

impl Entry {
    /// Takes out one of them. What they hold is divided evenly.
    fn share(&mut self) -> Admission {
        let hold = self.admission.hold.take_share(self.left);
        self.left -= 1;
        Admission { hold, ..self.admission }
    }

    /// Adds an admission that ends no later, if their holds can be one.
    fn join(&mut self, new: &Admission) -> bool {
        let same = self.admission.meter == new.meter && new.deadline <= self.admission.deadline;
        let joined = same && self.admission.hold.join(&new.hold);
        if joined {
            (self.until, self.left) = (self.until + 1, self.left + 1);
        }
        joined
    }
}

impl Admissions {
    /// Holds `admission`, which ends after `width`, and returns its number. One in a shared entry
    /// ends a small part of `width` later at most.
    #[inline]
    pub(crate) fn add(&mut self, admission: Admission, width: Duration) -> u64 {
        let first = self.next;
        self.next += 1;
        let mut admission = admission;
        if let Some(latest) = self.held.back() {
            if self.held.len() >= EXACT {
                return self.add_shared(first, admission, width);
            }
            admission.deadline = admission.deadline.max(latest.admission.deadline);
        }
        self.held.push_back(Entry { admission, first, until: self.next, left: 1 });
        first
    }

    #[cold]
    fn add_shared(&mut self, first: u64, admission: Admission, width: Duration) -> u64 {
        let mut admission = admission;
        if !self.held.back_mut().is_some_and(|latest| latest.join(&admission)) {
            let latest = self.held.back().map(|latest| latest.admission.deadline);
            let shared = admission.deadline.plus(width / PARTS);
            admission.deadline = latest.map_or(shared, |latest| latest.max(shared));
            self.held.push_back(Entry { admission, first, until: self.next, left: 1 });
        }
        first
    }

    /// Takes out the oldest admission.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Admission> {
        let oldest = self.held.front_mut()?;
        if oldest.left == 1 {
            return self.pop_entry();
        }
        while self.ended.remove(&oldest.first) {
            oldest.first += 1;
        }
        oldest.first += 1;
        Some(oldest.share())
    }

    /// Takes out the oldest admissions that end together, if they are over at `now`, as one.
    pub(crate) fn pop_over(&mut self, now: Tick) -> Option<Admission> {
        self.next_over().filter(|over| *over <= now)?;
        self.pop_entry()
    }

    #[inline]
    fn pop_entry(&mut self) -> Option<Admission> {
        let oldest = self.held.pop_front()?;
        if !self.ended.is_empty() {
            self.ended = self.ended.split_off(&oldest.until);
        }
        Some(oldest.admission)
    }

    /// Takes out the admission with that number, if it is still held.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Admission> {
        let index = self.held.partition_point(|entry| entry.until <= number);
        let entry = self.held.get_mut(index).filter(|entry| entry.first <= number)?;
        if self.ended.contains(&number) {
            return None;
        }
        if entry.left == 1 {
            return self.held.remove(index).map(|entry| entry.admission);
        }
        self.ended.insert(number);
        Some(entry.share())
    }

    /// When the oldest admission ends.
    #[inline]
    pub(crate) fn next_over(&self) -> Option<Tick> {
        self.held.front().map(|entry| entry.admission.deadline)
    }

    /// All held admissions. Those that share an entry are one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Admission> {
        self.held.iter().map(|entry| &entry.admission)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::accounting::{Limit, Meter, Moment, Unit, Window};

    const BUCKET: Duration = Duration::from_secs(1);

    fn at(nanos: u64) -> Moment {
        Moment { tick: Tick::from_nanos(nanos), wall_ns: 0 }
    }

    /// A meter, the admissions that hold of it, and what every one of them would hold alone.
    struct Held {
        meter: Meter,
        admissions: Admissions,
        /// Number and deadline, oldest first.
        alone: Vec<(u64, Tick)>,
        each: u64,
    }

    impl Held {
        fn new(each: u64) -> Self {
            let limit = Limit::new(Unit::Tokens, Some(u64::MAX));
            let window = Window::sliding(60 * BUCKET, 60, at(0).tick).unwrap();
            let meter = Meter::new(limit, window);
            Self { meter, admissions: Admissions::default(), alone: Vec::new(), each }
        }

        fn admit(&mut self, nanos: u64) -> u64 {
            let deadline = at(nanos).tick.plus(BUCKET);
            let hold = self.meter.reserve(self.each);
            let number =
                self.admissions.add(Admission { meter: MeterIndex(0), hold, deadline }, BUCKET);
            self.alone.push((number, deadline));
            number
        }

        fn release(&mut self, admission: Option<Admission>) {
            if let Some(admission) = admission {
                self.meter.release(&admission.hold);
            }
        }

        fn pop(&mut self) {
            let popped = self.admissions.pop();
            self.release(popped);
            if !self.alone.is_empty() {
                self.alone.remove(0);
            }
        }

        fn remove(&mut self, number: u64) {
            let known = self.alone.iter().position(|(other, _)| *other == number);
            let removed = self.admissions.remove(number);
            assert_eq!(removed.is_some(), known.is_some(), "number {number}");
            self.release(removed);
            if let Some(index) = known {
                self.alone.remove(index);
            }
        }

        fn is_exact(&self) {
            assert_eq!(self.meter.reserved(), self.alone.len() as u64 * self.each);
        }
    }

    #[test]
    fn a_million_admissions_at_once_are_few_entries() {
        let mut held = Held::new(1);
        let numbers: BTreeSet<u64> = (0..1_000_000).map(|nanos| held.admit(nanos)).collect();
        assert_eq!(numbers.len(), 1_000_000, "each has its own number");
        assert!(held.admissions.held.len() <= EXACT + PARTS as usize + 1);
        held.is_exact();
        let most = at(999_999).tick.plus(BUCKET).plus(BUCKET / PARTS);
        while let Some(over) = held.admissions.pop_over(most) {
            held.meter.release(&over.hold);
        }
        assert_eq!((held.meter.reserved(), held.admissions.next_over()), (0, None));
    }

    #[test]
    fn admissions_throughout_a_bucket_are_bounded_too() {
        let mut held = Held::new(7);
        for micros in 0..1_000_000 {
            held.admit(micros * 1_000);
        }
        assert!(held.admissions.held.len() <= EXACT + PARTS as usize + 1);
        held.is_exact();
    }

    #[test]
    fn none_ends_early_and_none_a_thousandth_of_a_bucket_late() {
        let mut held = Held::new(1);
        for nanos in 0..3_000 {
            held.admit(nanos * 500_000);
        }
        for nanos in (1_000_000_000..2_600_000_000).step_by(100_000) {
            let now = at(nanos).tick;
            while let Some(over) = held.admissions.pop_over(now) {
                held.meter.release(&over.hold);
            }
            let still = held.alone.iter().filter(|(_, deadline)| *deadline > now).count();
            let late = now.minus(BUCKET / PARTS);
            let may = held.alone.iter().filter(|(_, deadline)| *deadline > late).count();
            let reserved = held.meter.reserved();
            assert!((still as u64..=may as u64).contains(&reserved), "{still} {reserved} {may}");
        }
    }

    #[test]
    fn numbers_of_a_shared_entry_end_one_by_one() {
        let mut held = Held::new(5);
        let numbers: Vec<u64> = (0..EXACT as u64 + 12).map(|_| held.admit(0)).collect();
        assert_eq!(held.admissions.held.len(), EXACT, "the last twelve joined the latest");
        let shared = &numbers[EXACT..];
        for number in [shared[3], shared[4], shared[3], shared[11], numbers[7], numbers[7]] {
            held.remove(number);
            held.is_exact();
        }
        while !held.alone.is_empty() {
            held.pop();
            held.is_exact();
            held.remove(shared[4]);
            held.remove(shared[0]);
        }
        assert!(held.admissions.ended.is_empty() && held.admissions.pop().is_none());
    }

    #[test]
    fn unequal_amounts_of_a_shared_entry_are_given_back_in_full() {
        let mut held = Held::new(0);
        let amounts = (1..=EXACT as u64 + 100).map(|amount| amount * 3);
        for amount in amounts.clone() {
            held.each = amount;
            held.admit(0);
        }
        assert_eq!(held.meter.reserved(), amounts.sum::<u64>());
        for _ in 0..EXACT + 100 {
            held.pop();
        }
        assert_eq!(held.meter.reserved(), 0);
    }
}
