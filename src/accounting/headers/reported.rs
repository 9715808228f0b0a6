//! One limit that a response reports.

use std::time::Duration;

use super::names::{HeaderName, What};

/// What a provider's limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedUnit {
    /// Tokens: all, those of a project, of the input or of the output.
    Tokens,
    /// Requests.
    Requests,
}

/// One limit that a response reports. It is kept by its name until it is over or is reported anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedLimit {
    /// What it counts, in which window, and whose name that is.
    pub(in crate::accounting) name: HeaderName,
    pub(super) period: Option<Duration>,
    /// The same, if the response says it. If not, a limit of tokens is taken to be of a minute.
    pub(super) said_period: Option<Duration>,
    pub(super) max: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<Duration>,
    /// Whether what remains of it bounds requests.
    pub(super) counts: bool,
}

impl ReportedLimit {
    /// What it counts.
    pub const fn unit(&self) -> ReportedUnit {
        match self.name.what {
            What::Requests => ReportedUnit::Requests,
            _ => ReportedUnit::Tokens,
        }
    }

    /// The length of its window, if it is known.
    pub const fn period(&self) -> Option<Duration> {
        self.period
    }

    /// The most that the provider allows in a window of a known length.
    pub const fn max(&self) -> Option<u64> {
        self.max
    }

    /// What is left, fractions rounded down. `None` where it is not said, or bounds nothing.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining.filter(|_| self.counts)
    }

    /// When all is back at the latest, in a meter with windows of `period`.
    pub(in crate::accounting) fn back_within(&self, period: Duration) -> Duration {
        self.reset.unwrap_or_else(|| self.said_period.unwrap_or(period).max(period))
    }

    /// Whether it says what is left, and that it bounds nothing: what was kept of it is over.
    pub(in crate::accounting) const fn frees(&self) -> bool {
        self.remaining.is_some() && !self.counts
    }

    /// The time until all are back, rounded up to the nanosecond. `None` where it is not said.
    pub const fn reset(&self) -> Option<Duration> {
        self.reset
    }
}
