//! Calendar windows: hours, days, weeks and months of a time zone.
//!
//! The rules of time zones (a day of 23 or 25 hours, the ends of months) come from `jiff`.
//!
//! The wall clock may be wrong for some readings, and no single reading shows that. The monotonic
//! clock is the witness: a window that is entered with `l` left is over after `l` by that clock.
//! This is its `over_at`.
//!
//! 1. At or after its end a window is over. If the monotonic clock is not at `over_at` yet, the
//!    reading is **ahead**. Then the next window begins too, for the machine may have slept. But the
//!    counts of this one are kept beside it.
//! 2. A reading before the end of the kept window is a **return**, if that window is not over by the
//!    monotonic clock. What was kept is counted again, in the
//!    window of the reading. From then on this clock is doubted: until `over_at` of the window no
//!    reading ends it.
//! 3. Any other reading before the start changes nothing: the clock may come back. The window ends at
//!    its end, or at `over_at` if the wall clock is still before its start then.
//!
//! So wrong readings that come back lose no count: rule 1 kept it, and rule 2 adds it again. A step
//! backwards refills nothing: rules 2 and 3 only add. No window lies in the future for longer than
//! one of its own length: it is entered or at `over_at` by then. And a wrong clock passes at most one
//! limit too much in a window. The first reading ahead begins a window of its own; after the return no
//! other does.
//!
//! What a refusal reports is never more than the length of the window. Inside a window the end is
//! less than that away, and `over_at` is at most the length after the entry. In one that is to be
//! entered again the end may be further away. Then the length is reported, and later the time that
//! is left.

mod counts;
mod edges;

use std::time::Duration;

use jiff::tz::TimeZone;

use self::counts::KeptWindow;
pub use self::counts::{Counts, Rolled};
pub use self::edges::CalendarUnit;
use self::edges::{SECOND_NS, bounds};
use super::clock::{Moment, Tick};
use super::invalid::Invalid;

/// By how much the two clocks may differ at the end of a window. They are read one after the other,
/// and the kernel corrects the wall clock in small steps.
const APART: Duration = Duration::from_millis(100);

/// The calendar window that contains a moment.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    end_ns: i64,
    /// When it is over by the monotonic clock, if the reading that began it was right.
    over_at: Tick,
    /// The window that a reading ahead has ended. After a return its counts are back.
    kept: Option<Box<KeptWindow>>,
    /// How long it is.
    seconds: u32,
    unit: CalendarUnit,
    /// Whether the wall clock has returned from readings ahead.
    doubted: bool,
}

impl Calendar {
    /// The window of `unit` around `now` in the IANA time zone `zone` (such as "UTC").
    pub fn new(unit: CalendarUnit, zone: &str, now: Moment) -> Result<Self, Invalid> {
        let zone = TimeZone::get(zone).map_err(|_| {
            Invalid::policy("time zone", &format!("an IANA name such as \"UTC\", not {zone:?}"))
        })?;
        let (end_ns, over_at) = (now.wall_ns, now.tick);
        let (kept, seconds, doubted) = (None, 0, false);
        let mut calendar = Self { zone, end_ns, over_at, kept, seconds, unit, doubted };
        calendar.place(now);
        Ok(calendar)
    }

    /// Reads `now`, when the window has counted `counts`.
    #[inline]
    pub fn roll(&mut self, now: Moment, counts: Counts) -> Rolled {
        if now.wall_ns >= self.end_ns {
            self.pass(now, counts)
        } else if now.wall_ns < self.start_ns() {
            self.step_back(now, counts)
        } else if now.tick >= self.over_at && self.was_before(now) {
            self.begin_again(now, counts)
        } else {
            if self.kept.is_some() && !self.doubted {
                self.drop_kept(now);
            }
            Rolled::Same
        }
    }

    /// The reading is in the window, which is over by the monotonic clock. Whether the wall clock was
    /// still before the start at that time, if it has not stepped since.
    #[cold]
    fn was_before(&mut self, now: Moment) -> bool {
        let was_before = now.back_to(self.over_at).wall_ns < self.start_ns();
        // It is in the window now: a later step back is no new entry.
        self.over_at = now.tick;
        was_before
    }

    /// Ends a window in the future, which is over by the monotonic clock. If a window before it may
    /// still come back, what this one has counted belongs to that one.
    fn begin_again(&mut self, now: Moment, counts: Counts) -> Rolled {
        self.drop_kept(now);
        self.kept.take_if(|_| self.doubted);
        if let Some(kept) = &mut self.kept {
            kept.add(counts);
        }
        self.doubted = false;
        self.place(now);
        Rolled::Next
    }

    /// Forgets what was kept of a window that is over.
    #[cold]
    fn drop_kept(&mut self, now: Moment) {
        if !self.doubted {
            self.kept.take_if(|kept| is_over(kept.over_at, now.tick));
        }
    }

    /// The reading is after the end.
    #[cold]
    fn pass(&mut self, now: Moment, counts: Counts) -> Rolled {
        if is_over(self.over_at, now.tick) {
            self.doubted = false;
            self.kept = None;
        } else if self.doubted {
            return Rolled::Same;
        } else {
            self.keep(now, counts);
        }
        self.place(now);
        Rolled::Next
    }

    /// The reading is before the start.
    #[cold]
    fn step_back(&mut self, now: Moment, counts: Counts) -> Rolled {
        self.drop_kept(now);
        if !self.doubted
            && let Some(kept) = &mut self.kept
            && now.wall_ns < kept.end_ns
        {
            let KeptWindow { used, reserved, warned, since: era, .. } = **kept;
            (kept.used, kept.reserved, self.doubted) = (0, 0, true);
            self.place(now);
            return Rolled::Returned(Counts { used, reserved, era, warned });
        }
        if now.tick >= self.over_at {
            return self.begin_again(now, counts);
        }
        Rolled::Same
    }

    /// Keeps the counts of the window that the reading `now` ends. Of several such windows the first
    /// is the true one.
    fn keep(&mut self, now: Moment, counts: Counts) {
        self.drop_kept(now);
        let (over_at, since) = (self.over_at, counts.era);
        let end_ns = self.end_ns;
        let fresh =
            || Box::new(KeptWindow { over_at, end_ns, since, used: 0, reserved: 0, warned: 0 });
        let mut kept = self.kept.take().unwrap_or_else(fresh);
        kept.end_ns = end_ns;
        kept.add(counts);
        self.kept = Some(kept);
    }

    /// Counts from nothing in `era`. The window stays.
    pub(super) fn restart(&mut self, era: u32) {
        if let Some(kept) = &mut self.kept {
            (kept.since, kept.used, kept.reserved, kept.warned) = (era, 0, 0, 0);
        }
    }

    /// Forgets what an earlier window has used: the counts are replaced.
    pub(super) fn forget_used(&mut self) {
        self.kept.iter_mut().for_each(|kept| kept.used = 0);
    }

    /// Whether a hold of an earlier `era` counts in the window, of which `present` is the latest era.
    pub(super) fn counts(&self, era: u32, present: u32) -> bool {
        self.doubted
            && self.kept.as_ref().is_some_and(|kept| kept.has(era, present.wrapping_add(1)))
    }

    /// Ends a hold of an earlier `era` with `used`, if that era is kept. Returns whether it is.
    pub(super) fn settle_kept(&mut self, [era, present]: [u32; 2], held: u64, used: u64) -> bool {
        let is_ahead = !self.doubted;
        let kept = self.kept.as_mut().filter(|kept| is_ahead && kept.has(era, present));
        let Some(kept) = kept else { return false };
        kept.reserved = kept.reserved.saturating_sub(held);
        kept.used = kept.used.saturating_add(used);
        true
    }

    /// When the window ends on the monotonic clock, at most its length from `now`. The time is before
    /// `now` if the window was not moved on.
    pub fn ends_at(&self, now: Moment) -> Tick {
        let until_end = self.end_ns.saturating_sub(now.wall_ns);
        let apart = Duration::from_nanos(until_end.unsigned_abs());
        if now.wall_ns >= self.end_ns {
            return if self.doubted { self.confirmed_at() } else { now.tick.minus(apart) };
        }
        let until_start = self.start_ns().saturating_sub(now.wall_ns);
        let enters_at = now.tick.plus(Duration::from_nanos(until_start.max(0).unsigned_abs()));
        if until_start > 0 && enters_at >= self.over_at {
            return self.over_at;
        }
        let length = Duration::from_nanos(self.length_ns().unsigned_abs());
        let end = now.tick.plus(apart.min(length));
        if self.doubted { end.max(self.confirmed_at()) } else { end }
    }

    /// From when on the monotonic clock confirms that the window is over.
    fn confirmed_at(&self) -> Tick {
        self.over_at.minus(APART)
    }

    /// From when on nothing counts of what it has counted. A time that is over if that is so now.
    pub(super) fn silent_from(&self, now: Moment, used: u64, reserved: u64) -> Tick {
        if self.doubted || self.kept.is_some() {
            return self.over_at.max(self.kept.as_ref().map_or(now.tick, |kept| kept.over_at));
        }
        // An end that the monotonic clock does not confirm may not be the end.
        let silent = used == 0 && reserved == 0;
        if silent { now.tick } else { self.confirmed_at().max(self.ends_at(now)) }
    }

    /// When the window began, in nanoseconds since 1970 UTC.
    pub fn start_ns(&self) -> i64 {
        self.end_ns.saturating_sub(self.length_ns())
    }

    /// When the window around `wall_ns` begins and ends, in nanoseconds since 1970 UTC.
    pub(crate) fn edges_around(&self, wall_ns: i64) -> (i64, i64) {
        bounds(self.unit, &self.zone, wall_ns)
    }

    fn length_ns(&self) -> i64 {
        i64::from(self.seconds) * SECOND_NS
    }

    /// Moves to the window around `now`.
    fn place(&mut self, now: Moment) {
        let wall_ns = now.wall_ns;
        let (start_ns, end_ns) = bounds(self.unit, &self.zone, wall_ns);
        self.end_ns = end_ns;
        // Offsets of time zones are whole seconds, and a month has fewer than 2^32.
        let seconds = end_ns.saturating_sub(start_ns) / SECOND_NS;
        self.seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let left = self.end_ns.saturating_sub(wall_ns).unsigned_abs();
        self.over_at = now.tick.plus(Duration::from_nanos(left));
    }
}

/// Whether a time has come. The two clocks may be a little apart.
fn is_over(over_at: Tick, now: Tick) -> bool {
    now.plus(APART) >= over_at
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::edges::HOUR_NS;
    use super::*;

    fn ns(text: &str) -> i64 {
        let at: Timestamp = text.parse().unwrap();
        i64::try_from(at.as_nanosecond()).unwrap()
    }

    /// A wall time, `seconds` after the start by the monotonic clock.
    fn at(text: &str, seconds: u64) -> Moment {
        Moment { tick: Tick::from_nanos(seconds * 1_000_000_000), wall_ns: ns(text) }
    }

    fn day(text: &str) -> Calendar {
        Calendar::new(CalendarUnit::Day, "UTC", at(text, 0)).unwrap()
    }

    const NONE: Counts = Counts { used: 0, reserved: 0, era: 0, warned: 0 };
    const HOUR: u64 = 3_600;

    fn hours(unit: CalendarUnit, zone: &str, text: &str) -> i64 {
        let calendar = Calendar::new(unit, zone, at(text, 0)).unwrap();
        calendar.length_ns() / HOUR_NS
    }

    #[test]
    fn days_follow_the_time_zone_and_its_changes() {
        assert_eq!(hours(CalendarUnit::Day, "UTC", "2026-03-29T12:00:00Z"), 24);
        assert_eq!(hours(CalendarUnit::Day, "Europe/Berlin", "2026-03-29T12:00:00Z"), 23);
        assert_eq!(hours(CalendarUnit::Day, "Europe/Berlin", "2026-10-25T12:00:00Z"), 25);
    }

    #[test]
    fn months_and_leap_days_have_their_own_length() {
        assert_eq!(hours(CalendarUnit::Month, "UTC", "2028-02-29T23:59:59Z"), 29 * 24);
        assert_eq!(hours(CalendarUnit::Month, "UTC", "2026-02-01T00:00:00Z"), 28 * 24);
        assert_eq!(hours(CalendarUnit::Week, "UTC", "2028-02-29T00:00:00Z"), 7 * 24);
        assert_eq!(hours(CalendarUnit::Hour, "Asia/Kathmandu", "2026-01-01T00:20:00Z"), 1);
    }

    #[test]
    fn a_window_that_was_over_before_it_was_entered_again_has_ended() {
        let mut day = day("2026-05-02T23:59:30Z");
        assert_eq!(day.roll(at("2026-05-01T23:30:00Z", 0), NONE), Rolled::Same);
        // It was over at 30 s. Nobody looked until its day came for the second time.
        assert_eq!(day.roll(at("2026-05-02T00:10:00Z", 2_400), NONE), Rolled::Next);
        assert_eq!(day.roll(at("2026-05-02T00:11:00Z", 2_460), NONE), Rolled::Same);
    }

    #[test]
    fn a_step_backwards_stays_in_the_window() {
        let mut day = day("2026-05-02T00:00:00Z");
        assert_eq!(day.roll(at("2026-05-01T23:59:59Z", 0), NONE), Rolled::Same);
        assert_eq!(day.roll(at("2026-05-02T23:59:59Z", 24 * HOUR), NONE), Rolled::Same);
        assert_eq!(day.roll(at("2026-05-03T00:00:00Z", 24 * HOUR + 1), NONE), Rolled::Next);
        assert_eq!(day.start_ns(), ns("2026-05-03T00:00:00Z"));
    }

    #[test]
    fn one_reading_ahead_loses_no_count_and_the_day_ends_at_its_own_midnight() {
        let mut day = day("2026-05-01T10:00:00Z");
        let counts = Counts { used: 70, reserved: 5, ..NONE };
        assert_eq!(day.roll(at("2036-01-01T12:00:00Z", HOUR), counts), Rolled::Next);
        let now = at("2026-05-01T11:30:00Z", 3 * HOUR / 2);
        assert_eq!(day.roll(now, Counts { era: 1, ..NONE }), Rolled::Returned(counts));
        assert!(day.counts(0, 1) && !day.counts(2, 1), "holds of both settle here");
        let midnight = Tick::from_nanos(14 * HOUR * 1_000_000_000);
        assert_eq!(day.ends_at(now), midnight);
        // The clock has been wrong once. It ends nothing alone.
        let again = at("2036-01-01T12:00:00Z", 2 * HOUR);
        assert_eq!(day.roll(again, NONE), Rolled::Same);
        assert_eq!(day.ends_at(again), midnight.minus(APART));
        assert_eq!(day.roll(at("2026-05-02T00:00:00Z", 14 * HOUR), NONE), Rolled::Next);
        assert!(!day.doubted && day.kept.is_none());
    }

    #[test]
    fn a_machine_that_slept_wakes_in_the_day_of_its_clock() {
        let mut day = day("2026-05-01T23:00:00Z");
        let counts = Counts { used: 9, ..NONE };
        assert_eq!(day.roll(at("2026-05-02T08:00:00Z", 1), counts), Rolled::Next);
        assert_eq!(day.roll(at("2026-05-02T09:00:00Z", HOUR), NONE), Rolled::Same);
        // Later steps back do not bring yesterday back: it is over.
        assert_eq!(day.roll(at("2026-05-01T23:30:00Z", 2 * HOUR), NONE), Rolled::Same);
    }

    #[test]
    fn what_is_held_across_a_reading_ahead_settles_where_it_was_reserved() {
        let mut day = day("2026-05-01T10:00:00Z");
        let counts = Counts { used: 1, reserved: 10, era: 7, warned: 1 };
        assert_eq!(day.roll(at("2027-01-01T10:00:00Z", 1), counts), Rolled::Next);
        assert!(!day.counts(7, 8));
        assert!(day.settle_kept([7, 8], 10, 4), "its window is kept");
        assert!(!day.settle_kept([8, 8], 10, 4) && !day.settle_kept([6, 8], 10, 4));
        let returned = Rolled::Returned(Counts { used: 5, reserved: 0, ..counts });
        assert_eq!(day.roll(at("2026-05-01T11:00:00Z", HOUR), NONE), returned);
    }

    #[test]
    fn a_window_in_the_future_ends_after_its_own_length() {
        for made in ["2036-05-01T20:00:00Z", "2026-05-02T20:00:00Z"] {
            let mut day = day(made);
            let now = at("2026-05-01T10:00:00Z", 60);
            assert_eq!(day.roll(now, NONE), Rolled::Same, "{made}");
            assert_eq!(day.ends_at(now), Tick::from_nanos(4 * HOUR * 1_000_000_000), "{made}");
            assert_eq!(day.roll(at("2026-05-01T14:00:00Z", 4 * HOUR), NONE), Rolled::Next);
            assert_eq!(day.start_ns(), ns("2026-05-01T00:00:00Z"), "{made}");
        }
    }

    #[test]
    fn readings_behind_that_come_back_change_nothing() {
        for behind in ["1970-01-01T00:00:00Z", "2026-04-30T23:59:59Z", "2026-01-01T12:00:00Z"] {
            let mut day = day("2026-05-02T08:00:00Z");
            for seconds in [60, 600] {
                assert_eq!(day.roll(at(behind, seconds), NONE), Rolled::Same, "{behind}");
                let back = at("2026-05-02T08:20:00Z", seconds + 60);
                assert_eq!(day.roll(back, NONE), Rolled::Same, "{behind}");
            }
            assert_eq!(day.roll(at("2026-05-03T00:00:01Z", 16 * HOUR + 1), NONE), Rolled::Next);
        }
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let error = Calendar::new(CalendarUnit::Day, "Mars/Olympus", at("2026-01-01T00:00:00Z", 0))
            .unwrap_err();
        assert!(error.message.contains("Mars/Olympus"), "{error}");
    }
}
