//! The time of a store that is a file: the wall clock, unless it leaps.

use super::process;
use crate::accounting::Clock;

/// How far the wall clock may be ahead of what the boot-time clock confirms: an hour.
const LEAP: i64 = 3_600_000_000;

/// The boot-time clock at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boot {
    /// The start of the machine that it counts from.
    pub(super) id: [u8; 16],
    /// Microseconds since then.
    pub(super) at: i64,
}

/// One reading of the clocks, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Since 1970 UTC.
    pub(super) wall: i64,
    /// `None` where nothing confirms the wall clock: it is believed.
    pub(super) boot: Option<Boot>,
}

impl Reading {
    /// Reads `clock`. One that is moved by hand is believed.
    pub(super) fn of(clock: &Clock, boot: Option<[u8; 16]>) -> Self {
        let wall = clock.wall_ns().div_euclid(1_000);
        let boot = boot.filter(|_| !clock.is_manual()).map(|id| {
            let at = i64::try_from(clock.precise_tick().raw() / 1_000).unwrap_or(i64::MAX);
            Boot { id, at }
        });
        Self { wall, boot }
    }

    /// The time to believe, if `latest` was seen at `kept`. It may be earlier than `latest`.
    pub(super) fn believed(&self, latest: i64, kept: Option<Boot>) -> i64 {
        let (Some(now), Some(then)) = (self.boot, kept) else { return self.wall };
        if now.id != then.id {
            return self.wall; // the machine was off, nobody knows for how long
        }
        let passed = now.at.saturating_sub(then.at).max(0);
        let confirmed = latest.saturating_add(passed);
        if self.wall > confirmed.saturating_add(LEAP) { confirmed } else { self.wall }
    }
}

/// The start of the machine, for [`Reading::of`].
pub(super) fn boot() -> Option<[u8; 16]> {
    process::boot()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn at(hour: i64) -> Option<Boot> {
        Some(Boot { id: [1; 16], at: hour * HOUR })
    }

    #[test]
    fn a_leap_that_the_boot_time_does_not_confirm_is_not_believed() {
        let reading = |wall: i64, boot| Reading { wall: wall * HOUR, boot };
        // The last time was seen at 100 h, 10 h after the machine had started.
        let believed = |reading: Reading| reading.believed(100 * HOUR, at(10)) / HOUR;
        assert_eq!(believed(reading(103, at(13))), 103);
        assert_eq!(believed(reading(104, at(13))), 104, "an hour is not much");
        assert_eq!(believed(reading(105, at(13))), 103);
        assert_eq!(believed(reading(500, at(10))), 100);
        assert_eq!(believed(reading(90, at(13))), 90, "the latest time stands without our help");
    }

    #[test]
    fn after_a_new_start_of_the_machine_the_wall_clock_is_believed() {
        let boot = Some(Boot { id: [2; 16], at: 0 });
        assert_eq!(Reading { wall: 500, boot }.believed(100, at(10)), 500);
        assert_eq!(Reading { wall: 500 * HOUR, boot: None }.believed(100, at(10)), 500 * HOUR);
        assert_eq!(Reading { wall: 500 * HOUR, boot: at(11) }.believed(100, None), 500 * HOUR);
    }

    #[test]
    fn microseconds_are_rounded_down() {
        let clock = std::sync::Arc::new(crate::accounting::ManualClock::new());
        clock.set_wall(-1);
        let read = Reading::of(&clock.into(), Some([1; 16]));
        assert_eq!(read, Reading { wall: -1, boot: None });
    }
}
