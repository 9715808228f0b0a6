//! Time for the naive book: nanoseconds since the start, and the history of the wall clock.

use outlay::CalendarUnit;

const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Every step of the wall clock: (time, wall time from then on).
#[derive(Clone, Debug)]
pub(crate) struct Walls(Vec<(u64, i64)>);

impl Walls {
    pub(crate) fn new(wall_ns: i64) -> Self {
        Self(vec![(0, wall_ns)])
    }

    pub(crate) fn step(&mut self, at: u64, wall_ns: i64) {
        self.0.push((at, wall_ns));
    }

    /// The wall time at `at`.
    pub(crate) fn at(&self, at: u64) -> i64 {
        let step = self.0.iter().rev().find(|step| step.0 <= at);
        step.map_or(0, |&(since, wall)| wall + span(since, at))
    }

    /// The latest calendar window that the wall clock had shown by `at`: a step backwards
    /// refills nothing.
    pub(crate) fn latest_window(&self, unit: CalendarUnit, at: u64) -> i64 {
        let steps = self.0.iter().enumerate().filter(|(_, step)| step.0 <= at);
        let shown = steps.map(|(index, &(since, wall))| {
            let until = self.0.get(index + 1).map_or(at, |next| next.0.min(at));
            window_of(unit, wall + span(since, until))
        });
        shown.max().unwrap_or(0)
    }
}

fn span(from: u64, to: u64) -> i64 {
    i64::try_from(to.saturating_sub(from)).unwrap_or(i64::MAX)
}

/// The number of the calendar window (UTC) around a wall time.
pub(crate) fn window_of(unit: CalendarUnit, wall_ns: i64) -> i64 {
    let day = wall_ns.div_euclid(DAY_NS);
    match unit {
        CalendarUnit::Hour => wall_ns.div_euclid(HOUR_NS),
        CalendarUnit::Day => day,
        // 1970-01-01 was a Thursday.
        CalendarUnit::Week => (day + 3).div_euclid(7),
        CalendarUnit::Month => month_of(day),
    }
}

/// When the calendar window of that number begins.
pub(crate) fn window_start(unit: CalendarUnit, number: i64) -> i64 {
    match unit {
        CalendarUnit::Hour => number * HOUR_NS,
        CalendarUnit::Day => number * DAY_NS,
        CalendarUnit::Week => (number * 7 - 3) * DAY_NS,
        CalendarUnit::Month => month_start(number) * DAY_NS,
    }
}

/// The first day of a month (counted from January 1970), by adding up the months before it.
fn month_start(month: i64) -> i64 {
    let mut day = 0;
    if month >= 0 {
        (0..month).for_each(|before| day += month_days(before));
    } else {
        (month..0).for_each(|after| day -= month_days(after));
    }
    day
}

fn month_of(day: i64) -> i64 {
    // A guess that is at most one month off, then a step.
    let mut month = day.div_euclid(31);
    while month_start(month + 1) <= day {
        month += 1;
    }
    month
}

fn month_days(month: i64) -> i64 {
    let year = 1970 + month.div_euclid(12);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month.rem_euclid(12) {
        1 if leap => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}
