//! Windows: the spans of time in which a limit counts. A closed set.
//!
//! All but one kind are measured by the monotonic clock alone, which never steps: no reading of the
//! wall clock changes them. A fixed window ends a period after its start, and a sliding window
//! forgets a usage a period after it. So nobody waits for longer than one period. Calendar windows
//! follow the wall clock; [`calendar`](super::calendar) says what a wrong reading does to them.

use std::time::Duration;

use super::calendar::{Calendar, CalendarUnit};
use super::clock::{LONGEST, Moment, Tick, nanos};
use super::invalid::Invalid;
use super::ring::Ring;

/// The default number of buckets of a sliding window.
pub(crate) const BUCKETS: u16 = 60;

/// When usage is forgotten.
#[derive(Clone, Debug)]
pub enum Window {
    /// Never.
    Lifetime,
    /// After each whole period from `start`: no drift.
    Fixed {
        /// The length of a window in nanoseconds.
        period_ns: u64,
        /// When the present window began.
        start: Tick,
    },
    /// At the edges of hours, days, weeks or months of a time zone.
    Calendar(Box<Calendar>),
    /// Continuously: usage counts for one period.
    Sliding(Box<Ring>),
    /// At once: only open amounts count (concurrency).
    Gauge,
}

impl Window {
    /// A window of `period` that starts now and moves by whole periods.
    pub fn fixed(period: Duration, now: Tick) -> Result<Self, Invalid> {
        checked_period(period).map(|period_ns| Self::Fixed { period_ns, start: now })
    }

    /// A sliding window of `period` with `buckets` buckets.
    pub fn sliding(period: Duration, buckets: u16, now: Tick) -> Result<Self, Invalid> {
        checked_period(period)?;
        Ok(Self::Sliding(Box::new(Ring::new(period, buckets, now))))
    }

    /// A calendar window in the IANA time zone `zone`.
    pub fn calendar(unit: CalendarUnit, zone: &str, now: Moment) -> Result<Self, Invalid> {
        Ok(Self::Calendar(Box::new(Calendar::new(unit, zone, now)?)))
    }

    /// Whether it needs the wall clock.
    pub const fn needs_wall(&self) -> bool {
        matches!(self, Self::Calendar(_))
    }

    /// The length of a fixed or sliding window.
    pub fn period(&self) -> Option<Duration> {
        match self {
            Self::Fixed { period_ns, .. } => Some(Duration::from_nanos(*period_ns)),
            Self::Sliding(ring) => Some(ring.period()),
            Self::Lifetime | Self::Calendar(_) | Self::Gauge => None,
        }
    }

    /// Moves on to `now`. Returns true if a new window began, in which nothing is used yet. A
    /// calendar window needs more than that: [`Calendar::roll`].
    #[inline]
    pub fn roll(&mut self, now: Tick) -> bool {
        match self {
            Self::Lifetime | Self::Gauge | Self::Calendar(_) => false,
            Self::Fixed { period_ns, start } => {
                let elapsed = now.raw().saturating_sub(start.raw());
                let over = elapsed >= *period_ns;
                if over {
                    let whole = elapsed - elapsed % *period_ns;
                    *start = Tick::from_raw(start.raw().saturating_add(whole));
                }
                over
            }
            Self::Sliding(ring) => {
                ring.advance(now);
                false
            }
        }
    }

    /// Starts a new window at `now`, in `era` of its meter. A fixed window then counts its periods
    /// from there.
    pub(super) fn restart(&mut self, now: Moment, era: u32) {
        match self {
            Self::Fixed { start, .. } => *start = now.tick,
            Self::Sliding(ring) => {
                ring.clear();
                ring.advance(now.tick);
            }
            Self::Calendar(calendar) => calendar.restart(era),
            Self::Lifetime | Self::Gauge => {}
        }
    }

    /// When some usage is forgotten next, or `None` if that never happens.
    pub fn changes_at(&self, now: Moment) -> Option<Tick> {
        match self {
            Self::Sliding(ring) => Some(ring.next_bucket()),
            window => window.ends_at(now),
        }
    }

    /// When the next window begins, or `None` if there is none.
    pub fn ends_at(&self, now: Moment) -> Option<Tick> {
        match self {
            Self::Fixed { period_ns, start } => Some(start.plus(Duration::from_nanos(*period_ns))),
            Self::Calendar(calendar) => Some(calendar.ends_at(now)),
            Self::Lifetime | Self::Sliding(_) | Self::Gauge => None,
        }
    }
}

fn checked_period(period: Duration) -> Result<u64, Invalid> {
    if period.is_zero() || period > LONGEST {
        return Err(Invalid::policy("period", "longer than 0 and at most 100 years"));
    }
    Ok(nanos(period))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: u64) -> Moment {
        Moment { tick: Tick::from_nanos(seconds * 1_000_000_000), wall_ns: 0 }
    }

    #[test]
    fn a_fixed_window_steps_by_whole_periods() {
        let mut window = Window::fixed(Duration::from_secs(60), moment(5).tick).unwrap();
        assert!(!window.roll(moment(64).tick));
        assert!(window.roll(moment(200).tick));
        assert_eq!(window.ends_at(moment(200)), Some(moment(245).tick));
        assert!(!window.roll(moment(100).tick), "a step backwards refills nothing");
    }

    #[test]
    fn a_period_of_zero_or_of_ages_is_refused() {
        for period in [Duration::ZERO, Duration::MAX] {
            assert!(Window::fixed(period, moment(0).tick).is_err());
            assert!(Window::sliding(period, BUCKETS, moment(0).tick).is_err());
        }
    }
}
