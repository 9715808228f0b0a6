//! A sliding window as a ring of slots: constant memory, constant time.
//!
//! `slots + 1` slots of `period / slots` each are kept and the partly expired one counts whole,
//! so the effective window is between one and `1 + 1/slots` periods: no span of `period` ever
//! holds more than the limit.

use std::time::Duration;

use super::clock::{Tick, nanos};

/// What was used in the last `period`, by slots of time.
#[derive(Clone, Debug)]
pub struct Ring {
    period_ns: u64,
    width_ns: u64,
    newest: u64,
    sum: u128,
    /// Wide enough that no slot is ever full: what is taken out again was really in.
    slots: Box<[u128]>,
}

impl Ring {
    /// An empty ring over `period`, in `slots` parts (at least one), for a clock that may `lag`:
    /// an event may have happened that much later than it is booked, so it counts for longer.
    pub fn new(period: Duration, slots: u16, now: Tick, lag: Duration) -> Self {
        let count = u64::from(slots.max(1));
        let period_ns = nanos(period).max(1);
        let width_ns = period_ns.saturating_add(nanos(lag)).div_ceil(count);
        let slots = vec![0; usize::from(slots.max(1)) + 1].into_boxed_slice();
        Self { period_ns, width_ns, newest: now.raw() / width_ns, sum: 0, slots }
    }

    /// The length of a slot.
    pub const fn width(&self) -> Duration {
        Duration::from_nanos(self.width_ns)
    }

    /// The length of the window.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns)
    }

    /// Forgets the slots that have left the window; a step backwards changes nothing.
    pub fn advance(&mut self, now: Tick) {
        let slot = now.raw() / self.width_ns;
        if slot <= self.newest {
            return;
        }
        if slot - self.newest >= self.len() {
            self.clear();
        } else {
            for passed in self.newest + 1..=slot {
                let index = self.index(passed);
                self.sum -= self.slots[index];
                self.slots[index] = 0;
            }
        }
        self.newest = slot;
    }

    /// Books `amount` in the newest slot.
    pub fn add(&mut self, amount: u64) {
        let index = self.index(self.newest);
        self.slots[index] += u128::from(amount);
        self.sum += u128::from(amount);
    }

    /// Takes `amount` out of the slot it was booked in at `at`; false when that slot has left.
    pub fn remove(&mut self, amount: u64, at: Tick) -> bool {
        let slot = at.raw() / self.width_ns;
        if slot > self.newest || self.newest - slot >= self.len() {
            return false;
        }
        let index = self.index(slot);
        let removed = u128::from(amount).min(self.slots[index]);
        self.slots[index] -= removed;
        self.sum -= removed;
        true
    }

    /// What is in the window.
    pub fn used(&self) -> u64 {
        u64::try_from(self.sum).unwrap_or(u64::MAX)
    }

    /// Empties the window.
    pub fn clear(&mut self) {
        self.slots.fill(0);
        self.sum = 0;
    }

    /// How long until at most `rest` is in the window, when nothing more is booked.
    pub fn falls_to(&self, rest: u64, now: Tick) -> Duration {
        self.falls_at(rest).map_or(Duration::ZERO, |at| at.since(now))
    }

    /// When at most `rest` is in the window, when nothing more is booked; `None` where that is so.
    pub fn falls_at(&self, rest: u64) -> Option<Tick> {
        let mut sum = self.sum;
        if sum <= u128::from(rest) {
            return None;
        }
        let oldest = (self.newest + 1).saturating_sub(self.len());
        let slot = (oldest..=self.newest).find(|slot| {
            sum -= self.slots[self.index(*slot)];
            sum <= u128::from(rest)
        })?;
        Some(Tick::from_raw((slot + self.len()).saturating_mul(self.width_ns)))
    }

    fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    fn index(&self, slot: u64) -> usize {
        usize::try_from(slot % self.len()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn an_event_counts_for_the_period_and_at_most_one_slot_more() {
        let mut ring = Ring::new(MINUTE, 60, at(0), Duration::ZERO);
        ring.add(5);
        ring.advance(at(60));
        assert_eq!(ring.used(), 5, "the partly expired slot counts whole");
        ring.advance(at(61));
        assert_eq!(ring.used(), 0);
    }

    #[test]
    fn the_time_until_room_is_exact() {
        let mut ring = Ring::new(MINUTE, 60, at(0), Duration::ZERO);
        ring.add(5);
        ring.advance(at(10));
        ring.add(7);
        assert_eq!(ring.falls_to(12, at(10)), Duration::ZERO);
        let wait = ring.falls_to(7, at(10));
        ring.advance(at(10).plus(wait).minus(Duration::from_nanos(1)));
        assert_eq!(ring.used(), 12);
        ring.advance(at(10).plus(wait));
        assert_eq!(ring.used(), 7);
    }

    #[test]
    fn a_clock_that_lags_makes_events_count_for_longer() {
        let mut ring = Ring::new(MINUTE, 60, at(0), Duration::from_millis(4));
        ring.add(5);
        ring.advance(at(60).plus(Duration::from_millis(4)).minus(Duration::from_nanos(1)));
        assert_eq!(ring.used(), 5, "it may have happened 4 ms later than it was booked");
        assert_eq!(ring.period(), MINUTE);
    }

    #[test]
    fn a_slot_that_has_left_gives_nothing_back() {
        let mut ring = Ring::new(MINUTE, 60, at(0), Duration::ZERO);
        ring.add(5);
        assert!(ring.remove(2, at(0)));
        assert_eq!(ring.used(), 3);
        ring.advance(at(200));
        assert!(!ring.remove(3, at(0)));
        assert_eq!(ring.used(), 0);
    }

    #[test]
    fn huge_amounts_do_not_wrap() {
        let mut ring = Ring::new(MINUTE, 2, at(0), Duration::ZERO);
        ring.add(u64::MAX);
        ring.add(u64::MAX);
        ring.advance(at(30));
        ring.add(u64::MAX);
        assert_eq!(ring.used(), u64::MAX);
        ring.advance(at(1000));
        assert_eq!(ring.used(), 0);
    }
}
