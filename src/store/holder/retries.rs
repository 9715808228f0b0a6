//! When a message is sent again that was not answered: later each time, and at random.

use std::time::Duration;

use crate::accounting::Tick;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The tries of one message, by the machine's clock.
#[derive(Clone, Debug)]
pub(super) struct Retries {
    begun: Option<Tick>,
    again: Option<Tick>,
    wait: Duration,
    random: u64,
}

impl Retries {
    pub(super) fn new(seed: u128) -> Self {
        let half = u64::try_from(seed >> 64).unwrap_or(1);
        Self { begun: None, again: None, wait: FIRST, random: half | 1 }
    }

    pub(super) fn begin(&mut self, now: Tick) {
        self.begun = Some(now);
    }

    pub(super) const fn begun(&self) -> Option<Tick> {
        self.begun
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    pub(super) fn are_due(&self, now: Tick) -> bool {
        self.again.is_none_or(|again| now >= again)
    }

    pub(super) fn due_in(&self, now: Tick) -> Option<Duration> {
        self.again.map(|again| again.since(now))
    }

    /// A try has failed. The pause is anything up to twice the longest of the last one.
    pub(super) fn fail(&mut self, now: Tick) {
        // xorshift: no two holders have the same pauses.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let longest = u64::try_from(self.wait.as_micros()).unwrap_or(u64::MAX);
        let pause = 1_000 + self.random % longest.max(1);
        self.again = Some(now.plus(Duration::from_micros(pause)));
        self.wait = (self.wait * 2).min(LONGEST);
    }

    pub(super) fn end(&mut self) {
        (self.begun, self.again, self.wait) = (None, None, FIRST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_random_and_grow_to_a_bound() {
        let (mut retries, mut other) = (Retries::new(7 << 64), Retries::new(8 << 64));
        let now = Tick::from_nanos(0);
        let mut differ = 0;
        for tries in 0..20 {
            retries.fail(now);
            other.fail(now);
            let pause = retries.due_in(now).unwrap();
            let most = (FIRST * 2_u32.pow(tries.min(10))).min(LONGEST) + Duration::from_millis(1);
            assert!(pause >= Duration::from_millis(1) && pause <= most, "{tries}: {pause:?}");
            differ += u32::from(Some(pause) != other.due_in(now));
        }
        assert!(differ > 15, "{differ}");
        assert!(!retries.are_due(now));
        retries.end();
        assert!(retries.are_due(now));
    }
}
