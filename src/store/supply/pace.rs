//! How much a holder uses of a limit in a second, and in a call.

use std::time::Duration;

use crate::accounting::Tick;

/// The least time over which a rate is measured.
const SPAN: Duration = Duration::from_millis(250);

/// The pace of one limit, as a moving mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CallPace {
    /// When it was measured, and what had been called and asked for until then.
    from: Option<(Tick, u64, u64)>,
    /// What is asked for in a second.
    rate: u64,
    /// What a call asks for, rounded up.
    usual: u64,
    /// When there was last a call.
    called: Option<Tick>,
}

impl CallPace {
    /// Hears how much was asked for until `now`, in how many calls.
    pub(super) fn hear(&mut self, calls: u64, asked: u64, now: Tick) {
        let &mut (from, calls_before, asked_before) = self.from.get_or_insert((now, 0, 0));
        let new = calls.saturating_sub(calls_before);
        if new > 0 {
            self.called = Some(now);
        }
        let amount = asked.saturating_sub(asked_before);
        let passed = now.since(from);
        if new > 0 && self.usual == 0 {
            self.usual = amount.div_ceil(new);
        }
        if passed < SPAN {
            return;
        }
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = amount.saturating_mul(1000) / millis;
        self.rate = mean(self.rate, rate);
        if new > 0 {
            self.usual = mean(self.usual, amount.div_ceil(new)).max(1);
        }
        self.from = Some((now, calls, asked));
    }

    /// A call waits that has not been counted.
    pub(super) fn wait(&mut self, now: Tick) {
        self.called = Some(now);
    }

    /// What is used in `time` at this rate, or in so many calls, whichever is the larger.
    pub(super) fn needs(&self, time: Duration, calls: u64) -> u64 {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let by_rate = self.rate.saturating_mul(millis) / 1000;
        by_rate.max(self.usual.saturating_mul(calls))
    }

    /// For how long there was no call.
    pub(super) fn idle(&self, now: Tick) -> Option<Duration> {
        self.called.map(|called| now.since(called))
    }
}

/// Three parts of the mean so far, and one of what is now.
fn mean(before: u64, now: u64) -> u64 {
    let sum = u128::from(before) * 3 + u128::from(now);
    u64::try_from(sum / 4).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ahead_by_time_or_by_calls() {
        let (mut pace, start) = (CallPace::default(), Tick::from_nanos(0));
        pace.hear(0, 0, start);
        for second in 1..=20 {
            pace.hear(second * 100, second * 1_000, start.plus(Duration::from_secs(second)));
        }
        let needs = pace.needs(Duration::from_secs(5), 32);
        assert!((4_900..=5_000).contains(&needs), "{needs}");
        assert!((300..=320).contains(&pace.needs(Duration::ZERO, 32)));
        assert_eq!(pace.idle(start.plus(Duration::from_secs(21))), Some(Duration::from_secs(1)));
    }
}
