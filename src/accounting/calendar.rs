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
//! 2. A reading before the start of a window that was entered by a reading ahead is a **return**, if
//!    the kept window is not over by the monotonic clock. What was kept is counted again, in the
//!    window of the reading. From then on this clock is doubted: until `over_at` of the window no
//!    reading ends it.
//! 3. Any other reading before the start refills nothing. A window that is further away than its own
//!    length moves to the reading and keeps its counts. A nearer one stays. It ends at its end, or at
//!    `over_at` if the wall clock is still before its start then.
//!
//! So wrong readings that come back lose no count: rule 1 kept it, and rule 2 adds it again. A step
//! backwards refills nothing: rules 2 and 3 only add. No window lies in the future for longer than
//! one of its own length: a far one moves, and a near one is entered or at `over_at` by then. And a
//! wrong clock passes at most one limit too much in a window: the first reading ahead begins a window
//! of its own, and after the return no other does.
//!
//! What a refusal reports is never more than the length of the window. Inside a window the end is
//! less than that away, and `over_at` is at most the length after the entry. In a near one that is to
//! be entered again the end may be further away. Then the length is reported, and later the time that
//! is left.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::clock::{Moment, Tick};
use super::invalid::Invalid;

/// The length of a calendar window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// From a full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

const HOUR_NS: i64 = 3_600_000_000_000;

impl CalendarUnit {
    /// Its usual length.
    const fn nanos(self) -> i64 {
        match self {
            Self::Hour => HOUR_NS,
            Self::Day => 24 * HOUR_NS,
            Self::Week => 7 * 24 * HOUR_NS,
            Self::Month => 31 * 24 * HOUR_NS,
        }
    }
}

/// By how much the two clocks may differ at the end of a window. They are read one after the other,
/// and the kernel corrects the wall clock in small steps.
const APART: Duration = Duration::from_millis(100);

/// The calendar window that contains a moment.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    start_ns: i64,
    end_ns: i64,
    /// When it is over by the monotonic clock, if the reading that began it was right.
    over_at: Tick,
    /// The window that a reading ahead has ended.
    kept: Option<Box<Kept>>,
    /// The first era that counts in it. There are several after a return.
    since: u32,
    unit: CalendarUnit,
    /// Whether the wall clock has returned from readings ahead.
    doubted: bool,
}

/// The counts of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What was charged.
    pub used: u64,
    /// What open leases hold.
    pub reserved: u64,
    /// The era of the meter.
    pub era: u32,
    /// How many warning marks were reported.
    pub warned: u8,
}

/// A window that a reading ahead has ended.
#[derive(Clone, Debug)]
struct Kept {
    over_at: Tick,
    since: u32,
    used: u64,
    reserved: u64,
    warned: u8,
}

/// What a new reading of the clocks means for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rolled {
    /// It goes on.
    Same,
    /// A new one has begun, in which nothing is used.
    Next,
    /// It goes on, and these counts belong to it too.
    Returned(Counts),
}

impl Calendar {
    /// The window of `unit` around `now` in the IANA time zone `zone` (such as "UTC").
    pub fn new(unit: CalendarUnit, zone: &str, now: Moment) -> Result<Self, Invalid> {
        let zone = TimeZone::get(zone).map_err(|_| {
            Invalid::policy("time zone", &format!("an IANA name such as \"UTC\", not {zone:?}"))
        })?;
        let (start_ns, end_ns, over_at) = (now.wall_ns, now.wall_ns, now.tick);
        let (kept, since, doubted) = (None, 0, false);
        let mut calendar = Self { zone, start_ns, end_ns, over_at, kept, since, unit, doubted };
        calendar.place(now);
        Ok(calendar)
    }

    /// Reads `now`, when the window has counted `counts`.
    #[inline]
    pub fn roll(&mut self, now: Moment, counts: Counts) -> Rolled {
        if now.wall_ns >= self.end_ns {
            self.pass(now, counts)
        } else if now.wall_ns < self.start_ns {
            self.step_back(now, counts)
        } else {
            if self.kept.is_some() {
                self.drop_kept(now);
            }
            Rolled::Same
        }
    }

    /// Forgets what was kept of a window that is over.
    #[cold]
    fn drop_kept(&mut self, now: Moment) {
        self.kept.take_if(|kept| is_over(kept.over_at, now.tick));
    }

    /// The reading is after the end.
    #[cold]
    fn pass(&mut self, now: Moment, counts: Counts) -> Rolled {
        if is_over(self.over_at, now.tick) {
            (self.kept, self.doubted) = (None, false);
        } else if self.doubted {
            return Rolled::Same;
        } else {
            self.keep(now, counts);
        }
        self.begin(now, counts)
    }

    /// The reading is before the start.
    #[cold]
    fn step_back(&mut self, now: Moment, counts: Counts) -> Rolled {
        self.drop_kept(now);
        if let Some(kept) = self.kept.take() {
            self.place(now);
            (self.since, self.doubted) = (kept.since, true);
            let Kept { used, reserved, warned, since: era, .. } = *kept;
            return Rolled::Returned(Counts { used, reserved, era, warned });
        }
        if now.tick >= self.over_at {
            self.doubted = false;
            return self.begin(now, counts);
        }
        if self.start_ns.saturating_sub(now.wall_ns) > self.end_ns - self.start_ns {
            self.place(now);
        }
        Rolled::Same
    }

    /// Keeps the counts of the window that the reading `now` ends. Of several such windows the first
    /// is the true one.
    fn keep(&mut self, now: Moment, counts: Counts) {
        self.drop_kept(now);
        let (over_at, since) = (self.over_at, self.since);
        let fresh = || Box::new(Kept { over_at, since, used: 0, reserved: 0, warned: 0 });
        let mut kept = self.kept.take().unwrap_or_else(fresh);
        kept.used = kept.used.saturating_add(counts.used);
        kept.reserved = kept.reserved.saturating_add(counts.reserved);
        kept.warned = kept.warned.max(counts.warned);
        self.kept = Some(kept);
    }

    fn begin(&mut self, now: Moment, counts: Counts) -> Rolled {
        self.place(now);
        self.since = counts.era.wrapping_add(1);
        Rolled::Next
    }

    /// Counts from nothing in `era`. The window stays.
    pub(super) fn restart(&mut self, era: u32) {
        self.since = era;
        if let Some(kept) = &mut self.kept {
            (kept.since, kept.used, kept.reserved, kept.warned) = (era, 0, 0, 0);
        }
    }

    /// Forgets what an earlier window has used: the counts are replaced.
    pub(super) fn forget_used(&mut self) {
        self.kept.iter_mut().for_each(|kept| kept.used = 0);
    }

    /// Whether a hold of `era` counts in the window, of which `present` is the latest era.
    pub(super) const fn counts(&self, era: u32, present: u32) -> bool {
        era.wrapping_sub(self.since) <= present.wrapping_sub(self.since)
    }

    /// Ends a hold of `era` with `used`, if that era is kept. Returns whether it is.
    pub(super) fn settle_kept(&mut self, era: u32, held: u64, used: u64) -> bool {
        let since = self.since;
        let mine =
            |kept: &&mut Box<Kept>| era.wrapping_sub(kept.since) < since.wrapping_sub(kept.since);
        let Some(kept) = self.kept.as_mut().filter(mine) else { return false };
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
            return if self.doubted { self.over_at } else { now.tick.minus(apart) };
        }
        let until_start = self.start_ns.saturating_sub(now.wall_ns);
        let enters_at = now.tick.plus(Duration::from_nanos(until_start.max(0).unsigned_abs()));
        if until_start > 0 && enters_at >= self.over_at {
            return self.over_at;
        }
        let length = Duration::from_nanos(self.end_ns.abs_diff(self.start_ns));
        now.tick.plus(apart.min(length))
    }

    /// From when on nothing counts of what it has counted. A time that is over if that is so now.
    pub(super) fn silent_from(&self, now: Moment, used: u64, reserved: u64) -> Tick {
        if self.doubted || self.kept.is_some() {
            return self.over_at.max(self.kept.as_ref().map_or(now.tick, |kept| kept.over_at));
        }
        // An end that the monotonic clock does not confirm may not be the end.
        let over = self.over_at.minus(APART);
        if used == 0 && reserved == 0 { now.tick } else { over.max(self.ends_at(now)) }
    }

    /// When the window began, in nanoseconds since 1970 UTC.
    pub fn start_ns(&self) -> i64 {
        self.start_ns
    }

    /// Moves to the window around `now`.
    fn place(&mut self, now: Moment) {
        let wall_ns = now.wall_ns;
        let bounds = Timestamp::from_nanosecond(i128::from(wall_ns))
            .ok()
            .and_then(|now| bounds(self.unit, &now.to_zoned(self.zone.clone())));
        // A window always contains its own moment and always ends, even if the calendar has no
        // answer. Otherwise the meter would never move on.
        let plain = || (wall_ns, wall_ns.saturating_add(self.unit.nanos()));
        (self.start_ns, self.end_ns) = bounds.unwrap_or_else(plain);
        let left = self.end_ns.saturating_sub(wall_ns).unsigned_abs();
        self.over_at = now.tick.plus(Duration::from_nanos(left));
    }
}

/// Whether a time has come. The two clocks may be a little apart.
fn is_over(over_at: Tick, now: Tick) -> bool {
    now.plus(APART) >= over_at
}

fn bounds(unit: CalendarUnit, now: &Zoned) -> Option<(i64, i64)> {
    let here = i64::try_from(now.timestamp().as_nanosecond()).ok()?;
    let (start, end) = match unit {
        // Hours count elapsed time: an hour that a change of offset repeats counts as two.
        CalendarUnit::Hour => return Some(hour_bounds(now, here)),
        CalendarUnit::Day => {
            let start = now.start_of_day().ok()?;
            (start.clone(), start.tomorrow().ok()?.start_of_day().ok()?)
        }
        CalendarUnit::Week => {
            let back = i64::from(now.weekday().to_monday_zero_offset());
            let monday = now.date().checked_sub(back.days()).ok()?;
            let next = monday.checked_add(7.days()).ok()?;
            let zone = now.time_zone();
            (monday.to_zoned(zone.clone()).ok()?, next.to_zoned(zone.clone()).ok()?)
        }
        CalendarUnit::Month => {
            let first = now.date().first_of_month();
            let next = first.checked_add(1.month()).ok()?;
            let zone = now.time_zone();
            (first.to_zoned(zone.clone()).ok()?, next.to_zoned(zone.clone()).ok()?)
        }
    };
    let ns = |at: &Zoned| i64::try_from(at.timestamp().as_nanosecond()).ok();
    let (start, end) = (ns(&start)?, ns(&end)?);
    (start <= here && here < end).then_some((start, end))
}

fn hour_bounds(now: &Zoned, here: i64) -> (i64, i64) {
    let seconds = i64::from(now.minute()) * 60 + i64::from(now.second());
    let into = seconds * 1_000_000_000 + i64::from(now.subsec_nanosecond());
    (here.saturating_sub(into), here.saturating_sub(into).saturating_add(HOUR_NS))
}

#[cfg(test)]
mod tests {
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
        (calendar.end_ns - calendar.start_ns) / HOUR_NS
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
        assert!(day.counts(0, 1) && day.counts(1, 1), "holds of both settle here");
        let midnight = Tick::from_nanos(14 * HOUR * 1_000_000_000);
        assert_eq!(day.ends_at(now), midnight);
        // The clock has been wrong once. It ends nothing alone.
        let again = at("2036-01-01T12:00:00Z", 2 * HOUR);
        assert_eq!(day.roll(again, NONE), Rolled::Same);
        assert_eq!(day.ends_at(again), midnight);
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
        day.since = 7;
        assert_eq!(day.roll(at("2027-01-01T10:00:00Z", 1), counts), Rolled::Next);
        assert!(!day.counts(7, 8));
        assert!(day.settle_kept(7, 10, 4), "its window is kept");
        assert!(!day.settle_kept(8, 10, 4) && !day.settle_kept(6, 10, 4));
        let returned = Rolled::Returned(Counts { used: 5, reserved: 0, ..counts });
        assert_eq!(day.roll(at("2026-05-01T11:00:00Z", HOUR), NONE), returned);
    }

    #[test]
    fn a_window_in_the_future_ends_with_the_true_day_or_after_its_own_length() {
        // Made by a wrong reading: far away it moves, and keeps its counts.
        let mut far = day("2036-05-01T20:00:00Z");
        let now = at("2026-05-01T10:00:00Z", 60);
        assert_eq!(far.roll(now, NONE), Rolled::Same);
        assert_eq!(far.start_ns(), ns("2026-05-01T00:00:00Z"));
        // A day away it stays, for no longer than it would have lasted.
        let mut near = day("2026-05-02T20:00:00Z");
        let now = at("2026-05-01T10:00:00Z", 60);
        assert_eq!(near.roll(now, NONE), Rolled::Same);
        assert_eq!(near.ends_at(now), Tick::from_nanos(4 * HOUR * 1_000_000_000));
        assert_eq!(near.roll(at("2026-05-01T14:00:00Z", 4 * HOUR), NONE), Rolled::Next);
        assert_eq!(near.start_ns(), ns("2026-05-01T00:00:00Z"));
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let error = Calendar::new(CalendarUnit::Day, "Mars/Olympus", at("2026-01-01T00:00:00Z", 0))
            .unwrap_err();
        assert!(error.message.contains("Mars/Olympus"), "{error}");
    }
}
