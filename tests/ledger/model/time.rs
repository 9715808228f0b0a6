//! Time for the naive book: nanoseconds since the start, and the history of the wall clock.
//!
//! Windows of the calendar are found by walking through the whole history. Each has a number in the
//! order in which they began. Where the clock returned, several numbers are one window.

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

    /// What a calendar window is like at `at`.
    pub(crate) fn shown(&self, unit: CalendarUnit, at: u64) -> Shown {
        let mut shown = Shown::new(unit, self.0[0].1);
        for (index, &(since, wall)) in self.0.iter().enumerate().filter(|(_, step)| step.0 <= at) {
            let until = self.0.get(index + 1).map_or(at, |next| next.0.min(at));
            let mut now = since;
            loop {
                shown.read(unit, now, wall + span(since, now));
                let next = shown.changes(unit, now, wall + span(since, now));
                if next > until || next <= now {
                    break;
                }
                now = next;
            }
            shown.read(unit, until, wall + span(since, until));
        }
        shown
    }
}

/// A window of the calendar, and those that were joined.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    id: i64,
    window: i64,
    over_at: u64,
    kept: Option<(i64, u64, i64)>,
    doubted: bool,
    joined: Vec<(i64, i64)>,
}

/// By how much the clocks may differ at the end of a window.
const APART_NS: u64 = 100_000_000;

impl Shown {
    fn new(unit: CalendarUnit, wall: i64) -> Self {
        let (kept, doubted, joined) = (None, false, Vec::new());
        let mut shown = Self { id: 0, window: 0, over_at: 0, kept, doubted, joined };
        shown.place(unit, 0, wall);
        shown
    }

    fn place(&mut self, unit: CalendarUnit, at: u64, wall: i64) {
        self.window = window_of(unit, wall);
        let left = window_start(unit, self.window + 1) - wall;
        self.over_at = at + u64::try_from(left).unwrap_or(0);
    }

    fn read(&mut self, unit: CalendarUnit, at: u64, wall: i64) {
        let real = window_of(unit, wall);
        if self.kept.is_some_and(|(_, over_at, _)| at + APART_NS >= over_at) {
            self.kept = None;
        }
        if real > self.window {
            let confirmed = at + APART_NS >= self.over_at;
            if !confirmed && self.doubted {
                return;
            }
            let first = self.kept.map_or((self.id, self.over_at), |(id, over_at, _)| (id, over_at));
            self.kept = (!confirmed).then_some((first.0, first.1, self.window));
            self.doubted = false;
            self.id += 1;
            self.place(unit, at, wall);
        } else if real < self.window {
            if let Some((first, ..)) = self.kept.take_if(|kept| real <= kept.2) {
                self.joined.push((first, self.id));
                self.doubted = true;
                self.place(unit, at, wall);
            } else if at >= self.over_at {
                self.doubted = false;
                self.id += 1;
                self.place(unit, at, wall);
            }
        }
    }

    /// When the next reading may change it, if the clock does not step.
    pub(crate) fn changes(&self, unit: CalendarUnit, at: u64, wall: i64) -> u64 {
        let end = window_start(unit, self.window + 1);
        let real = window_of(unit, wall);
        let natural = at + u64::try_from(end - wall).unwrap_or(0);
        match real.cmp(&self.window) {
            std::cmp::Ordering::Greater => self.over_at.saturating_sub(APART_NS),
            std::cmp::Ordering::Equal => natural,
            std::cmp::Ordering::Less => natural.min(self.over_at),
        }
    }

    /// The window that counts at the end of this history.
    pub(crate) fn window(&self) -> i64 {
        self.canonical(self.id)
    }

    /// The window that a number belongs to.
    pub(crate) fn canonical(&self, id: i64) -> i64 {
        let joined = self.joined.iter();
        joined
            .fold(id, |id, (first, last)| if (*first..=*last).contains(&id) { *first } else { id })
    }

    /// Whether that window has ended and cannot come back.
    pub(crate) fn is_gone(&self, id: i64) -> bool {
        let id = self.canonical(id);
        id != self.window() && self.kept.is_none_or(|(first, ..)| id < self.canonical(first))
    }

    pub(crate) fn ends_in(&self, unit: CalendarUnit, at: u64, wall: i64) -> u64 {
        let [start, end] = [self.window, self.window + 1].map(|of| window_start(unit, of));
        let left = self.over_at.saturating_sub(at);
        let until = |to: i64| u64::try_from(to - wall).unwrap_or(0);
        if wall < start && until(start) >= left {
            return left;
        }
        let confirmed = if self.doubted { left.saturating_sub(APART_NS) } else { 0 };
        until(end).min(u64::try_from(end - start).unwrap_or(0)).max(confirmed)
    }

    /// Whether the wall clock is before the window.
    pub(crate) fn is_ahead_of(&self, unit: CalendarUnit, wall: i64) -> bool {
        window_of(unit, wall) < self.window
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
