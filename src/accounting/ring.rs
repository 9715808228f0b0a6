//! A sliding window as a ring of buckets: those in which something was used, and no others.
//!
//! The ring has `count + 1` buckets of `period / count` each. A bucket that has partly left the
//! window counts whole. So the effective window is between one and `1 + 1/count` periods. No span
//! of `period`, open at one end, ever holds more than the limit. A bucket includes its last moment.
//! The first booking in an empty window ends a bucket there, so it leaves after exactly one period.
//! So do bookings whole buckets later.

use std::collections::VecDeque;
use std::time::Duration;

use super::clock::{Tick, nanos};

/// The usage of the last `period`, by buckets of time.
#[derive(Clone, Debug)]
pub struct Ring {
    period_ns: u64,
    /// Bucket `n` ends `n / count` periods after this, rounded down, so there is no drift.
    anchor: u64,
    /// The first bucket that ends after the present, the end of the bucket before it, and its own
    /// end.
    newest: u64,
    begin: u64,
    end: u64,
    /// The latest time passed in.
    now: u64,
    sum: u128,
    /// Oldest first. A number comes twice if its amount is more than one entry can hold.
    buckets: VecDeque<Bucket>,
    /// How many buckets a period has.
    count: u16,
}

/// What was used in one bucket.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    number: u64,
    amount: u64,
}

impl Ring {
    /// An empty ring over `period`, with `buckets` buckets (at least one).
    pub fn new(period: Duration, buckets: u16, now: Tick) -> Self {
        let period_ns = nanos(period).max(1);
        let (now, count) = (now.raw(), buckets.max(1));
        let (anchor, begin, end, buckets) = (now, now, now, VecDeque::new());
        let mut ring =
            Self { period_ns, anchor, newest: 0, begin, end, now, sum: 0, buckets, count };
        ring.anchor_here();
        ring
    }

    /// The length of a bucket.
    pub const fn width(&self) -> Duration {
        Duration::from_nanos(self.period_ns.div_ceil(self.count()))
    }

    /// The length of the window.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns)
    }

    /// When the next bucket begins. Until then nothing leaves the window.
    pub const fn next_bucket(&self) -> Tick {
        Tick::from_raw(self.end)
    }

    /// Clears the buckets that have left the window. A step backwards changes nothing.
    #[inline]
    pub fn advance(&mut self, now: Tick) {
        self.now = self.now.max(now.raw());
        if self.now >= self.end {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let newest = self.bucket_until(self.now.saturating_add(1));
        while let Some(oldest) = self.buckets.front()
            && newest - oldest.number >= self.len()
        {
            self.sum -= u128::from(oldest.amount);
            self.buckets.pop_front();
        }
        if self.sum == 0 {
            self.clear();
            self.anchor_here();
        } else {
            self.stand_in(newest);
        }
    }

    /// Books `amount` at the latest time passed in.
    pub fn add(&mut self, amount: u64) {
        if self.sum == 0 {
            self.buckets.clear();
            self.anchor_here();
        }
        if amount == 0 {
            return;
        }
        let inside = self.now > self.begin;
        let number = if inside { self.newest } else { self.bucket_until(self.now) };
        self.sum += u128::from(amount);
        if let Some(latest) = self.buckets.back_mut()
            && latest.number == number
            && let Some(sum) = latest.amount.checked_add(amount)
        {
            latest.amount = sum;
            return;
        }
        if self.buckets.capacity() == 0 {
            // Many windows see one bucket. A vector would begin with room for four.
            self.buckets.reserve_exact(1);
        }
        // It is nearly always the latest.
        let place = self.buckets.partition_point(|bucket| bucket.number <= number);
        self.buckets.insert(place, Bucket { number, amount });
    }

    /// Takes `amount` out of the bucket in which it was booked at `at`. Returns false if that
    /// bucket has left.
    pub fn remove(&mut self, amount: u64, at: Tick) -> bool {
        let number = self.bucket_until(at.raw());
        // Before the anchor nothing is left: the window was empty then.
        if at.raw() < self.anchor || number > self.newest || self.newest - number >= self.len() {
            return false;
        }
        let mut left = amount;
        let first = self.buckets.partition_point(|bucket| bucket.number < number);
        for bucket in self.buckets.range_mut(first..).take_while(|b| b.number == number) {
            let removed = left.min(bucket.amount);
            bucket.amount -= removed;
            left -= removed;
        }
        self.sum -= u128::from(amount - left);
        true
    }

    /// The usage in the window.
    pub fn used(&self) -> u64 {
        u64::try_from(self.sum).unwrap_or(u64::MAX)
    }

    /// Empties the window.
    pub fn clear(&mut self) {
        self.buckets = VecDeque::new();
        self.sum = 0;
    }

    /// The time until at most `left` is in the window, if nothing else is booked.
    pub fn falls_to(&self, left: u64, now: Tick) -> Duration {
        self.falls_at(left).map_or(Duration::ZERO, |at| at.since(now))
    }

    /// When at most `left` is in the window, if nothing else is booked. `None` if that is so now.
    pub fn falls_at(&self, left: u64) -> Option<Tick> {
        let mut sum = self.sum;
        if sum <= u128::from(left) {
            return None;
        }
        let bucket = self.buckets.iter().find(|bucket| {
            sum -= u128::from(bucket.amount);
            sum <= u128::from(left)
        })?;
        Some(Tick::from_raw(self.end_of(bucket.number.saturating_add(self.count()))))
    }

    /// Lets a bucket end at the present. The window is empty.
    fn anchor_here(&mut self) {
        self.anchor = self.now;
        self.stand_in(self.bucket_until(self.now.saturating_add(1)));
    }

    /// Makes `bucket` the present one.
    fn stand_in(&mut self, bucket: u64) {
        self.newest = bucket;
        self.begin = self.end_of(bucket.saturating_sub(1));
        self.end = self.end_of(bucket);
    }

    /// The bucket of a booking at `at`: the first one that does not end before it.
    fn bucket_until(&self, at: u64) -> u64 {
        let buckets = u128::from(at.saturating_sub(self.anchor)) * u128::from(self.count());
        u64::try_from(buckets.div_ceil(u128::from(self.period_ns))).unwrap_or(u64::MAX)
    }

    /// The end of `bucket`.
    fn end_of(&self, bucket: u64) -> u64 {
        let after = u128::from(bucket) * u128::from(self.period_ns) / u128::from(self.count());
        self.anchor.saturating_add(u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// The number of buckets in a window.
    const fn count(&self) -> u64 {
        self.count as u64
    }

    const fn len(&self) -> u64 {
        self.count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    const NS: Duration = Duration::from_nanos(1);

    #[test]
    fn an_event_counts_for_the_period_and_less_than_one_bucket_more() {
        let mut ring = Ring::new(MINUTE, 60, at(0));
        ring.add(1);
        ring.advance(at(2).plus(NS));
        ring.add(5);
        ring.advance(at(63).minus(NS));
        assert_eq!(ring.used(), 5, "the partly expired bucket counts whole");
        ring.advance(at(63));
        assert_eq!(ring.used(), 0);
    }

    #[test]
    fn what_comes_first_or_at_whole_buckets_after_it_counts_for_exactly_the_period() {
        // A period that no number of buckets divides, and one shorter than its buckets are many.
        for period in [MINUTE, Duration::from_secs(1), Duration::from_nanos(7)] {
            for start in [at(0), at(1).plus(7 * NS), at(1000).plus(NS)] {
                let mut ring = Ring::new(period, 60, at(0));
                ring.advance(start);
                ring.add(5);
                assert_eq!(ring.falls_to(0, start), period);
                ring.advance(start.plus(period).minus(NS));
                assert_eq!(ring.used(), 5);
                ring.advance(start.plus(period));
                assert_eq!(ring.used(), 0);
            }
        }
        let mut ring = Ring::new(MINUTE, 60, at(0));
        for second in 0..1_000 {
            ring.advance(at(7 * second));
            ring.add(1);
            assert_eq!(ring.used(), (second + 1).min(9), "in 60 s, open at one end");
        }
    }

    #[test]
    fn buckets_do_not_drift() {
        let second = Duration::from_secs(1);
        let mut ring = Ring::new(second, 60, at(0));
        ring.add(1);
        for half in 1..10_000 {
            let now = at(0).plus(second * half / 2);
            ring.advance(now);
            ring.add(1);
            assert_eq!((ring.used(), ring.falls_to(1, now)), (2, second / 2));
        }
    }

    #[test]
    fn the_time_until_room_is_exact() {
        let mut ring = Ring::new(MINUTE, 60, at(0));
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
    fn a_bucket_that_has_left_gives_nothing_back() {
        let mut ring = Ring::new(MINUTE, 60, at(0));
        ring.add(5);
        assert!(ring.remove(2, at(0)));
        assert_eq!(ring.used(), 3);
        ring.advance(at(200));
        assert!(!ring.remove(3, at(0)));
        assert_eq!(ring.used(), 0);
    }

    #[test]
    fn huge_amounts_do_not_wrap() {
        let mut ring = Ring::new(MINUTE, 2, at(0));
        ring.add(u64::MAX);
        ring.add(u64::MAX);
        ring.advance(at(30));
        ring.add(u64::MAX);
        assert_eq!(ring.used(), u64::MAX);
        ring.advance(at(1000));
        assert_eq!(ring.used(), 0);
    }
}
