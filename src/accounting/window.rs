//! The window in which a limit counts: a closed set.

use std::time::Duration;

use super::calendar::{Calendar, CalendarUnit};
use super::clock::{LONGEST, Moment, Tick, nanos};
use super::invalid::Invalid;
use super::ring::Ring;

/// The buckets of a sliding window unless something else is asked for.
pub(crate) const BUCKETS: u16 = 60;

/// When what was used is forgotten.
#[derive(Clone, Debug)]
pub enum Window {
    /// Never.
    Lifetime,
    /// At whole periods after `start`: no drift.
    Fixed {
        /// The length of a window in nanoseconds.
        period_ns: u64,
        /// When the present window began.
        start: Tick,
    },
    /// At the edges of hours, days, weeks or months of a time zone.
    Calendar(Box<Calendar>),
    /// Continuously: what was used counts for one period.
    Sliding(Box<Ring>),
    /// At once: only what is open counts (concurrency).
    Gauge,
}

impl Window {
    /// A window of `period` that starts now and steps by whole periods.
    pub fn fixed(period: Duration, now: Tick) -> Result<Self, Invalid> {
        checked_period(period).map(|period_ns| Self::Fixed { period_ns, start: now })
    }

    /// A sliding window of `period` in `buckets` parts.
    pub fn sliding(period: Duration, buckets: u16, now: Tick) -> Result<Self, Invalid> {
        checked_period(period)?;
        Ok(Self::Sliding(Box::new(Ring::new(period, buckets, now))))
    }

    /// A calendar window in the IANA time zone `zone`.
    pub fn calendar(unit: CalendarUnit, zone: &str, now: Moment) -> Result<Self, Invalid> {
        Ok(Self::Calendar(Box::new(Calendar::new(unit, zone, now.wall_ns)?)))
    }

    /// Whether the wall clock decides.
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

    /// Moves on to `now`; true when a new window began, in which nothing was used yet.
    #[inline]
    pub fn roll(&mut self, now: Moment) -> bool {
        match self {
            Self::Lifetime | Self::Gauge => false,
            Self::Fixed { period_ns, start } => {
                let elapsed = now.tick.raw().saturating_sub(start.raw());
                let over = elapsed >= *period_ns;
                if over {
                    let whole = elapsed - elapsed % *period_ns;
                    *start = Tick::from_raw(start.raw().saturating_add(whole));
                }
                over
            }
            Self::Calendar(calendar) => calendar.roll(now.wall_ns),
            Self::Sliding(ring) => {
                ring.advance(now.tick);
                false
            }
        }
    }

    /// Starts anew at `now`: a fixed window is anchored there.
    pub fn restart(&mut self, now: Moment) {
        match self {
            Self::Fixed { start, .. } => *start = now.tick,
            Self::Sliding(ring) => {
                ring.clear();
                ring.advance(now.tick);
            }
            Self::Calendar(calendar) => {
                calendar.roll(now.wall_ns);
            }
            Self::Lifetime | Self::Gauge => {}
        }
    }

    /// When something in it is forgotten, `None` where nothing ever is.
    pub fn changes_at(&self, now: Moment) -> Option<Tick> {
        match self {
            Self::Sliding(ring) => Some(ring.next_bucket()),
            window => window.ends_at(now),
        }
    }

    /// When the next window begins, `None` where none will come.
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
        assert!(!window.roll(moment(64)));
        assert!(window.roll(moment(200)));
        assert_eq!(window.ends_at(moment(200)), Some(moment(245).tick));
        assert!(!window.roll(moment(100)), "a step backwards refills nothing");
    }

    #[test]
    fn a_period_of_zero_or_of_ages_is_refused() {
        for period in [Duration::ZERO, Duration::MAX] {
            assert!(Window::fixed(period, moment(0).tick).is_err());
            assert!(Window::sliding(period, BUCKETS, moment(0).tick).is_err());
        }
    }
}
