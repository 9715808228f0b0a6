//! The machine's clocks. No other file reads one.
//!
//! On Linux the precise clock is the kernel's boot-time clock, which counts the time in which the
//! machine was suspended. The kernel has no coarse clock of this kind. So the coarse clock, a third
//! as dear, is the kernel's monotonic one plus the time that it did not count. That time is read
//! once for each kernel tick (1 to 10 ms). A machine that wakes up ticks before any program runs.
//! So no program sees a time without the last sleep of its machine.
//! The clocks of other systems are those of Rust's `Instant`; on macOS it stops while the machine
//! sleeps.
#![cfg_attr(
    not(target_os = "linux"),
    expect(clippy::disallowed_methods, reason = "this file is the one that reads clocks")
)]

#[cfg(target_os = "linux")]
pub(super) use linux::{lag, precise_tick, tick, wall_ns};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{lag, precise_tick, tick, wall_ns};

/// What the coarse clock does not count. All arithmetic is modulo 2^64: in a container the boot-time
/// clock may be behind the monotonic one.
#[cfg(any(target_os = "linux", test))]
mod uncounted {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// How far the boot-time clock is ahead of the monotonic one, as last read.
    #[derive(Debug)]
    pub(super) struct Uncounted {
        /// The coarse time at which it was last read; 0 before the first time.
        read_at: AtomicU64,
        ahead: AtomicU64,
    }

    impl Uncounted {
        pub(super) const fn new() -> Self {
            Self { read_at: AtomicU64::new(0), ahead: AtomicU64::new(0) }
        }

        /// The boot time at the coarse monotonic time `coarse`, in nanoseconds. `read` reads the
        /// boot-time clock and then the monotonic one; it is called once for each `coarse`.
        #[inline]
        pub(super) fn boot_time(&self, coarse: u64, read: impl FnOnce() -> (u64, u64)) -> u64 {
            // Acquire and Release: who sees that this tick was read also sees what was read.
            if self.read_at.load(Ordering::Acquire) != coarse {
                self.look(coarse, read);
            }
            coarse.wrapping_add(self.ahead.load(Ordering::Relaxed))
        }

        #[cold]
        fn look(&self, coarse: u64, read: impl FnOnce() -> (u64, u64)) {
            let (boot, monotonic) = read();
            // The monotonic clock was read later, so this is never too much, and too little only by
            // the time between the two. So the greatest reading is kept.
            let ahead = boot.wrapping_sub(monotonic).cast_signed();
            let first = self.read_at.load(Ordering::Acquire) == 0;
            let _ = self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
                (first || ahead > known.cast_signed()).then_some(ahead.cast_unsigned())
            });
            self.read_at.store(coarse, Ordering::Release);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::Uncounted;

        const SECOND: u64 = 1_000_000_000;

        #[test]
        fn a_sleep_is_counted_at_the_first_look_after_it() {
            let clock = Uncounted::new();
            assert_eq!(clock.boot_time(10 * SECOND, || (17 * SECOND, 10 * SECOND)), 17 * SECOND);
            // The same kernel tick: nothing is read.
            assert_eq!(clock.boot_time(10 * SECOND, || unreachable!()), 17 * SECOND);
            // An hour of sleep, then one tick of 4 ms.
            let (woken, boot) = (10 * SECOND + 4_000_000, 3617 * SECOND + 4_000_000);
            assert_eq!(clock.boot_time(woken, || (boot, woken)), boot);
            assert_eq!(clock.boot_time(woken, || unreachable!()), boot);
        }

        #[test]
        fn a_reader_that_was_interrupted_between_the_two_clocks_takes_nothing_away() {
            let clock = Uncounted::new();
            assert_eq!(clock.boot_time(SECOND, || (9 * SECOND, SECOND)), 9 * SECOND);
            assert_eq!(clock.boot_time(2 * SECOND, || (10 * SECOND, 5 * SECOND)), 10 * SECOND);
        }

        #[test]
        fn the_boot_time_clock_of_a_container_may_be_behind() {
            let clock = Uncounted::new();
            assert_eq!(clock.boot_time(90 * SECOND, || (4 * SECOND, 90 * SECOND)), 4 * SECOND);
            let (woken, boot) = (91 * SECOND, 65 * SECOND);
            assert_eq!(clock.boot_time(woken, || (boot, woken)), boot);
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_getres, clock_gettime};

    use super::super::Tick;
    use super::uncounted::Uncounted;

    static UNCOUNTED: Uncounted = Uncounted::new();

    #[inline]
    pub(in crate::accounting::clock) fn tick() -> Tick {
        let coarse = read(ClockId::MonotonicCoarse);
        let both = || (read(ClockId::Boottime), read(ClockId::Monotonic));
        Tick::from_nanos(UNCOUNTED.boot_time(coarse, both))
    }

    /// It is never behind the coarse clock.
    pub(in crate::accounting::clock) fn precise_tick() -> Tick {
        Tick::from_nanos(read(ClockId::Boottime))
    }

    pub(in crate::accounting::clock) fn lag() -> Duration {
        static LAG: OnceLock<Duration> = OnceLock::new();
        *LAG.get_or_init(|| {
            let tick = clock_getres(ClockId::MonotonicCoarse);
            4 * Duration::from_nanos(u64::try_from(tick.tv_nsec).unwrap_or(0))
        })
    }

    /// The kernel's coarse wall clock. A calendar window that begins some ticks late gives nothing
    /// out twice.
    pub(in crate::accounting::clock) fn wall_ns() -> i64 {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
    }

    #[inline]
    fn read(clock: ClockId) -> u64 {
        let now = clock_gettime(clock);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let fraction = u64::try_from(now.tv_nsec).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(fraction)
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use super::super::{Tick, nanos};

    pub(in crate::accounting::clock) fn tick() -> Tick {
        static BASE: OnceLock<Instant> = OnceLock::new();
        Tick::from_nanos(nanos(BASE.get_or_init(Instant::now).elapsed()))
    }

    pub(in crate::accounting::clock) fn precise_tick() -> Tick {
        tick()
    }

    pub(in crate::accounting::clock) fn lag() -> Duration {
        Duration::ZERO
    }

    pub(in crate::accounting::clock) fn wall_ns() -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        }
    }
}
