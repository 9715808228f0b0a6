//! The clocks, the only source of time: every other module receives a [`Moment`].
//!
//! Durations are monotonic, so a step of the wall clock refills nothing. They count the time in
//! which the machine was suspended. Calendar windows use wall time. `system.rs` reads the machine's
//! clocks. On Linux [`Clock::tick`] reads a coarse one, which lags true time by some kernel ticks,
//! and by more if a virtual machine is paused. So a window starts late by that much and never
//! early. Sliding windows, where a late clock would let something through, read the precise clock.

mod system;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

/// The monotonic origin. Windows that are restored from a file may have started before the machine
/// did.
const ORIGIN: u64 = 1 << 62;

/// The longest period or time to live: a hundred years. So no sum of ticks can overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A point on the monotonic clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// A tick `nanos` after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(ORIGIN.saturating_add(nanos))
    }

    /// This tick in nanoseconds, to compute with the buckets of a ring.
    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The tick `duration` later, at most the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The tick `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The time from `earlier` to this tick, zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in nanoseconds, at most `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One reading of the clocks. Every decision is made with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic time.
    pub tick: Tick,
    /// Wall time in nanoseconds since 1970-01-01 UTC. It is 0 if no calendar window needs it.
    pub wall_ns: i64,
}

impl Moment {
    /// The moment at the earlier `tick`, by the same wall clock.
    #[must_use]
    pub fn back_to(self, tick: Tick) -> Self {
        let back = i64::try_from(nanos(self.tick.since(tick))).unwrap_or(i64::MAX);
        Self { tick: self.tick.min(tick), wall_ns: self.wall_ns.saturating_sub(back) }
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that only moves by hand: for tests, simulations and replays.
///
/// ```
/// use outlay::ManualClock;
/// use std::time::Duration;
/// let clock = ManualClock::new();
/// let before = clock.tick();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.tick().since(before), Duration::from_secs(60));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    elapsed_ns: AtomicU64,
    wall_ns: AtomicI64,
    followers: Mutex<Vec<Weak<dyn Follower>>>,
}

/// An object that must act when a [`ManualClock`] moves, because something waits for that time.
pub trait Follower: fmt::Debug + Send + Sync {
    /// When it must act next.
    fn next(&self) -> Option<Tick>;

    /// Called when the clock has moved. No lock is held.
    fn moved(&self);
}

impl ManualClock {
    /// A clock at 1970-01-01 00:00 UTC.
    pub const fn new() -> Self {
        Self {
            elapsed_ns: AtomicU64::new(0),
            wall_ns: AtomicI64::new(0),
            followers: Mutex::new(Vec::new()),
        }
    }

    /// Moves the monotonic clock and the wall clock by `duration`. It stops on the way at each time
    /// at which a follower must act.
    pub fn advance(&self, duration: Duration) {
        let mut left = nanos(duration);
        loop {
            let now = self.tick();
            let stops = self.followers().into_iter().filter_map(|follower| follower.next());
            let stop = stops.filter(|stop| *stop > now).min();
            let step = stop.map_or(left, |stop| nanos(stop.since(now)).min(left));
            self.pass(step);
            left -= step;
            if left == 0 {
                return;
            }
        }
    }

    fn pass(&self, step: u64) {
        // Relaxed: tests order their own moves, and a reader needs no other memory with the time.
        let _ = self.elapsed_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            Some(now.saturating_add(step))
        });
        let wall_step = i64::try_from(step).unwrap_or(i64::MAX);
        let _ = self.wall_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            Some(now.saturating_add(wall_step))
        });
        self.tell();
    }

    /// Calls `follower` after each move while it lives. A follower that is added twice is called
    /// once.
    pub fn follow(&self, follower: Weak<dyn Follower>) {
        let mut followers = self.followers.lock();
        followers.retain(|other| other.strong_count() > 0);
        if !followers.iter().any(|other| Weak::ptr_eq(other, &follower)) {
            followers.push(follower);
        }
    }

    fn tell(&self) {
        self.followers().iter().for_each(|follower| follower.moved());
    }

    fn followers(&self) -> Vec<Arc<dyn Follower>> {
        let mut followers = self.followers.lock();
        followers.retain(|follower| follower.strong_count() > 0);
        followers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Sets the wall clock to `wall_ns` (nanoseconds since 1970 UTC), forwards or backwards. No
    /// time passes: monotonic windows do not notice it.
    pub fn set_wall(&self, wall_ns: i64) {
        self.wall_ns.store(wall_ns, Ordering::Relaxed);
        self.tell();
    }

    /// The monotonic time.
    pub fn tick(&self) -> Tick {
        Tick::from_nanos(self.elapsed_ns.load(Ordering::Relaxed))
    }

    /// The wall time in nanoseconds since 1970-01-01 UTC.
    pub fn wall_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::Relaxed)
    }
}

/// The clock of an account.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clocks.
    #[default]
    System,
    /// A clock that is moved by hand.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// Whether both are one clock.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::System, Self::System) => true,
            (Self::Manual(one), Self::Manual(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The monotonic time now.
    #[inline]
    pub fn tick(&self) -> Tick {
        match self {
            Self::System => system::tick(),
            Self::Manual(clock) => clock.tick(),
        }
    }

    /// The monotonic time now to the nanosecond. It costs seven times as much as
    /// [`tick`](Self::tick), and is used before a refusal or a wake-up.
    pub fn precise_tick(&self) -> Tick {
        match self {
            Self::System => system::precise_tick(),
            Self::Manual(clock) => clock.tick(),
        }
    }

    /// How far [`tick`](Self::tick) lags behind the true time, unless the machine is paused. If
    /// something may be due within it, the precise clock is read. Nothing else depends on it.
    pub fn lag(&self) -> Duration {
        match self {
            Self::System => system::lag(),
            Self::Manual(_) => Duration::ZERO,
        }
    }

    /// Whether the clock only moves by hand.
    pub const fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// The wall time now, in nanoseconds since 1970-01-01 UTC.
    pub fn wall_ns(&self) -> i64 {
        match self {
            Self::System => system::wall_ns(),
            Self::Manual(clock) => clock.wall_ns(),
        }
    }

    /// One reading. The wall clock is read only if a calendar window needs it.
    #[inline]
    pub fn now(&self, needs_wall: bool) -> Moment {
        let wall_ns = if needs_wall { self.wall_ns() } else { 0 };
        Moment { tick: self.tick(), wall_ns }
    }

    /// One reading by the precise clock.
    #[inline]
    pub fn precise_now(&self, needs_wall: bool) -> Moment {
        let wall_ns = if needs_wall { self.wall_ns() } else { 0 };
        Moment { tick: self.precise_tick(), wall_ns }
    }
}

impl From<SystemClock> for Clock {
    fn from(_: SystemClock) -> Self {
        Self::System
    }
}

impl From<Arc<ManualClock>> for Clock {
    fn from(clock: Arc<ManualClock>) -> Self {
        Self::Manual(clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::System;
        let first = clock.tick();
        assert!((0..1000).all(|_| clock.tick() >= first));
        assert!(clock.wall_ns() > 0);
    }

    #[test]
    fn stepping_the_wall_lets_no_time_pass() {
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(5));
        let tick = clock.tick();
        clock.set_wall(-1);
        assert_eq!((clock.tick(), clock.wall_ns()), (tick, -1));
    }

    #[test]
    fn a_huge_advance_stops_at_the_end_of_time() {
        let clock = ManualClock::new();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.tick(), Tick(u64::MAX));
    }
}
