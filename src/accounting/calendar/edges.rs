//! The edges of hours, days, weeks and months in a time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

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

pub(super) const SECOND_NS: i64 = 1_000_000_000;
pub(super) const HOUR_NS: i64 = 3_600 * SECOND_NS;

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

/// The start and the end of the window around `wall_ns`.
pub(super) fn bounds(unit: CalendarUnit, zone: &TimeZone, wall_ns: i64) -> (i64, i64) {
    let found = Timestamp::from_nanosecond(i128::from(wall_ns))
        .ok()
        .and_then(|now| edges(unit, &now.to_zoned(zone.clone())));
    // A window always contains its own moment and always ends, even if the calendar has no answer.
    // Otherwise the meter would never move on.
    found.unwrap_or_else(|| (wall_ns, wall_ns.saturating_add(unit.nanos())))
}

fn edges(unit: CalendarUnit, now: &Zoned) -> Option<(i64, i64)> {
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
