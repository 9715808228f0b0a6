//! Calendar windows: hours, days, weeks and months of a time zone.
//!
//! The rules of time zones (a day of 23 or 25 hours, the ends of months) come from `jiff`.

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

/// The calendar window that contains a moment.
#[derive(Clone, Debug)]
pub struct Calendar {
    unit: CalendarUnit,
    zone: TimeZone,
    start_ns: i64,
    end_ns: i64,
}

impl Calendar {
    /// The window of `unit` around `wall_ns` in the IANA time zone `zone` (such as "UTC").
    pub fn new(unit: CalendarUnit, zone: &str, wall_ns: i64) -> Result<Self, Invalid> {
        let zone = TimeZone::get(zone).map_err(|_| {
            Invalid::policy("time zone", &format!("an IANA name such as \"UTC\", not {zone:?}"))
        })?;
        let mut calendar = Self { unit, zone, start_ns: wall_ns, end_ns: wall_ns };
        calendar.place(wall_ns);
        Ok(calendar)
    }

    /// Moves to the window around `wall_ns` if the present one is over. Returns true if it moved. A
    /// step backwards changes nothing.
    pub fn roll(&mut self, wall_ns: i64) -> bool {
        let over = wall_ns >= self.end_ns;
        if over {
            self.place(wall_ns);
        }
        over
    }

    /// When the window ends on the monotonic clock. The time is before `now` if the window was not
    /// moved on.
    pub fn ends_at(&self, now: Moment) -> Tick {
        let left = self.end_ns.saturating_sub(now.wall_ns);
        let apart = Duration::from_nanos(left.unsigned_abs());
        if left < 0 { now.tick.minus(apart) } else { now.tick.plus(apart) }
    }

    /// When the window began, in nanoseconds since 1970 UTC.
    pub fn start_ns(&self) -> i64 {
        self.start_ns
    }

    fn place(&mut self, wall_ns: i64) {
        let bounds = Timestamp::from_nanosecond(i128::from(wall_ns))
            .ok()
            .and_then(|now| bounds(self.unit, &now.to_zoned(self.zone.clone())));
        // A window always contains its own moment and always ends, even if the calendar has no
        // answer. Otherwise the meter would never move on.
        let plain = || (wall_ns, wall_ns.saturating_add(self.unit.nanos()));
        (self.start_ns, self.end_ns) = bounds.unwrap_or_else(plain);
    }
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

    fn hours(unit: CalendarUnit, zone: &str, at: &str) -> i64 {
        let calendar = Calendar::new(unit, zone, ns(at)).unwrap();
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
        let mut day = Calendar::new(CalendarUnit::Day, "UTC", ns("2026-05-02T00:00:00Z")).unwrap();
        assert!(!day.roll(ns("2026-05-01T23:59:59Z")));
        assert!(!day.roll(ns("2026-05-02T23:59:59Z")));
        assert!(day.roll(ns("2026-05-03T00:00:00Z")));
        assert_eq!(day.start_ns(), ns("2026-05-03T00:00:00Z"));
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let error = Calendar::new(CalendarUnit::Day, "Mars/Olympus", 0).unwrap_err();
        assert!(error.message.contains("Mars/Olympus"), "{error}");
    }
}
