//! The pace at which requests start again after a refusal: at most one slot's worth in each slot.

use std::time::Duration;

use crate::accounting::clock::Tick;

/// The slots of a window. A slot's worth is the same share of the limit.
const SLOTS: u64 = 60;

/// Slots of equal length, from the moment at which requests may start again, for one window. What
/// starts in a slot is at most a sixtieth of the limit. A larger amount starts alone, and takes the
/// slots after it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Where the present slot begins.
    slot: Tick,
    width: Duration,
    /// When the whole window is over.
    until: Tick,
    limit: u64,
    /// What the present slot and those after it have taken, in sixtieths.
    taken: u128,
}

impl Pace {
    /// From `from` on, for one window of `period` with this limit.
    pub(super) fn new(from: Tick, period: Duration, limit: u64) -> Self {
        let width = (period / 60).max(Duration::from_nanos(1));
        // A limit of 0 admits nothing anyway. It must not stand still for ever.
        Self { slot: from, width, until: from.plus(period), limit: limit.max(1), taken: 0 }
    }

    /// When the next slot begins.
    pub(super) fn next(&self) -> Tick {
        self.after(1)
    }

    /// When it is over.
    pub(super) const fn until(&self) -> Tick {
        self.until
    }

    /// Begins the slot of `now`.
    pub(super) fn roll(&mut self, now: Tick) {
        let slots = now.since(self.slot).as_nanos() / self.width.as_nanos();
        let Ok(slots) = u64::try_from(slots) else { return };
        if slots > 0 {
            self.taken = self.taken.saturating_sub(u128::from(slots) * u128::from(self.limit));
            self.slot = self.after(slots);
        }
    }

    fn after(&self, slots: u64) -> Tick {
        let nanos = self.width.as_nanos().saturating_mul(u128::from(slots));
        self.slot.plus(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// What a start takes, in sixtieths. A start that names no amount takes a whole slot.
    fn needs(&self, amount: u64) -> u128 {
        if amount == 0 { u128::from(self.limit) } else { u128::from(amount) * u128::from(SLOTS) }
    }

    /// The most that may be taken beside which `amount` starts.
    fn beside(&self, amount: u64) -> u128 {
        u128::from(self.limit).saturating_sub(self.needs(amount))
    }

    /// Whether `amount` may start now.
    pub(super) fn admits(&self, amount: u64) -> bool {
        self.taken <= self.beside(amount)
    }

    /// What could start now. At the beginning of a free slot this is any amount.
    pub(super) fn room(&self) -> u64 {
        if self.taken == 0 {
            return u64::MAX;
        }
        let left = u128::from(self.limit).saturating_sub(self.taken) / u128::from(SLOTS);
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    /// Counts a start.
    pub(super) fn start(&mut self, amount: u64) {
        self.taken = self.taken.saturating_add(self.needs(amount));
    }

    /// When `amount` may start that may not start now.
    pub(super) fn opens_at(&self, amount: u64) -> Tick {
        let over = self.taken.saturating_sub(self.beside(amount));
        let slots = u64::try_from(over.div_ceil(u128::from(self.limit))).unwrap_or(u64::MAX);
        self.after(slots).min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_sixtieth_of_the_limit_starts_in_each_slot() {
        let mut pace = Pace::new(at(10), MINUTE, 600);
        assert!(pace.admits(10) && pace.admits(600), "a larger amount starts alone");
        pace.start(4);
        assert!(pace.admits(6) && !pace.admits(7));
        assert_eq!((pace.room(), pace.opens_at(7)), (6, at(11)));
        pace.roll(at(11));
        pace.start(25);
        assert_eq!(
            (pace.opens_at(1), pace.opens_at(5), pace.opens_at(6)),
            (at(13), at(13), at(14))
        );
        pace.roll(at(13));
        assert!(pace.admits(5) && !pace.admits(6));
        assert_eq!(pace.until(), at(70));
    }

    #[test]
    fn a_limit_below_a_slot_gives_one_start_in_several_slots() {
        let mut pace = Pace::new(at(0), MINUTE, 3);
        assert!(pace.admits(1));
        pace.start(1);
        assert_eq!(pace.opens_at(1), at(20));
    }

    #[test]
    fn a_start_without_an_amount_takes_a_slot_and_no_wait_is_longer_than_the_window() {
        let mut pace = Pace::new(at(0), MINUTE, 600);
        pace.start(0);
        assert_eq!((pace.admits(0), pace.opens_at(0)), (false, at(1)));
        pace.start(u64::MAX);
        assert_eq!(pace.opens_at(1), at(60));
        for limit in [0, u64::MAX] {
            let mut pace = Pace::new(at(0), Duration::from_nanos(7), limit);
            pace.start(u64::MAX);
            pace.start(u64::MAX);
            pace.roll(Tick::from_nanos(u64::MAX));
            let _ = (pace.room(), pace.opens_at(u64::MAX), pace.admits(0));
        }
    }
}
