//! One limit of a provider, as its latest report says.

use std::time::Duration;

use crate::accounting::clock::Tick;
use crate::accounting::headers::{HeaderName, ReportedLimit, ReportedUnit};

/// A maximum is believed for a day since it was reported last.
const MAX_LASTS: Duration = Duration::from_secs(24 * 3600);

/// A number that counts until a time.
#[derive(Clone, Copy, Debug)]
struct Until {
    amount: u64,
    until: Tick,
}

/// One limit, by its name.
#[derive(Clone, Debug)]
pub(super) struct KnownLimit {
    name: HeaderName,
    unit: ReportedUnit,
    /// What the meter may use in its own window.
    max: Option<Until>,
    left: Option<Until>,
}

impl KnownLimit {
    /// What a response reports, to a meter with a window of `period`.
    pub(super) fn new(report: &ReportedLimit, period: Duration, now: Tick) -> Self {
        let mut kept =
            Self { name: report.name.clone(), unit: report.unit(), max: None, left: None };
        kept.hear(report, period, now);
        kept
    }

    /// Whether `report` is about the same limit.
    pub(super) fn is_of(&self, report: &ReportedLimit) -> bool {
        self.name == report.name
    }

    pub(super) fn hear(&mut self, report: &ReportedLimit, period: Duration, now: Tick) {
        if let Some((max, own)) = report.max().zip(report.period()) {
            let until = now.plus(MAX_LASTS.max(own));
            self.max = Some(Until { amount: scaled(max, own, period), until });
        }
        match (report.remaining(), report.reset(), &mut self.left) {
            (Some(amount), _, _) => {
                // Without a reported time, all of it is back by the end of a whole window.
                self.left = Some(Until { amount, until: now.plus(report.back_within(period)) });
            }
            _ if report.frees() => self.left = None,
            (None, Some(reset), Some(known)) => known.until = now.plus(reset),
            _ => {}
        }
    }

    /// Forgets what is over at `now`. Returns whether anything is left to say.
    pub(super) fn roll(&mut self, now: Tick) -> bool {
        self.max.take_if(|known| known.until <= now);
        self.left.take_if(|known| known.until <= now);
        self.max.is_some() || self.left.is_some()
    }

    pub(super) fn counts_tokens(&self) -> bool {
        self.unit == ReportedUnit::Tokens
    }

    /// The most in a window of a meter that counts the same.
    pub(super) fn max(&self) -> Option<u64> {
        self.max.filter(|_| self.counts_tokens()).map(|known| known.amount)
    }

    pub(super) fn left(&self) -> Option<u64> {
        self.left.map(|known| known.amount)
    }

    pub(super) fn left_until(&self) -> Option<Tick> {
        self.left.map(|known| known.until)
    }

    /// Counts `amount` as used since the report.
    pub(super) fn take(&mut self, amount: u64) {
        if let Some(known) = &mut self.left {
            known.amount = known.amount.saturating_sub(amount);
        }
    }

    /// When the first of what it says is over.
    pub(super) fn ends_first(&self) -> Option<Tick> {
        self.max.iter().chain(&self.left).map(|known| known.until).min()
    }

    /// When all that it says is over.
    pub(super) fn ends_last(&self) -> Option<Tick> {
        self.max.iter().chain(&self.left).map(|known| known.until).max()
    }
}

/// A maximum of a window of `own`, scaled up to `period`. It also bounds shorter windows.
fn scaled(max: u64, own: Duration, period: Duration) -> u64 {
    let windows = period.as_nanos().div_ceil(own.as_nanos().max(1)).max(1);
    max.saturating_mul(u64::try_from(windows).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_scaled_up_to_longer_windows() {
        let [second, minute, hour] = [1, 60, 3600].map(Duration::from_secs);
        assert_eq!(scaled(100, minute, second), 100);
        assert_eq!(scaled(100, minute, minute), 100);
        assert_eq!(scaled(100, minute, hour), 6_000);
        assert_eq!(scaled(100, hour, minute), 100);
        assert_eq!(scaled(u64::MAX, minute, hour), u64::MAX);
    }
}
