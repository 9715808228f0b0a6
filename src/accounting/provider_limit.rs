//! The rate limit that a provider reports. No more than this limit is ever admitted.

use std::time::Duration;

use super::clock::Tick;
use super::headers::{Left, RateHeaders};

/// A provider's limits count for a minute.
const MINUTE: Duration = Duration::from_secs(60);
const TOO_MANY_REQUESTS: u16 = 429;
/// Unavailable and overloaded (Anthropic). They close the limit only if they report for how long.
const AWAY: [u16; 2] = [503, 529];

/// The amount that the provider takes until a time.
#[derive(Clone, Copy, Debug)]
struct LeftUntil {
    left: u64,
    until: Tick,
}

/// The latest limits that a provider has reported.
#[derive(Clone, Debug, Default)]
pub struct ProviderLimit {
    /// The limit of a window, if it was reported.
    max: Option<u64>,
    tokens: Option<LeftUntil>,
    requests: Option<LeftUntil>,
    /// Closed until this time: nothing is admitted before it.
    closed_until: Option<Tick>,
}

impl ProviderLimit {
    /// Updates the limits from a response, over a window of `period` with buckets of `bucket`. What
    /// the response does not report stays. An older response does not open a closed limit.
    pub fn hear(
        &mut self,
        said: &RateHeaders,
        status: u16,
        [period, bucket]: [Duration; 2],
        now: Tick,
    ) {
        let left_until = |left: Left| LeftUntil {
            left: left.remaining,
            // Without a reported time, all of it is back by the end of a whole window.
            until: now.plus(left.reset.unwrap_or(period)),
        };
        self.max = said.limit_tokens.map(|limit| scaled(limit, period)).or(self.max);
        self.tokens = said.tokens.map(left_until).or(self.tokens);
        self.requests = said.requests.map(left_until).or(self.requests);
        let closed = match status {
            TOO_MANY_REQUESTS => {
                let known = said.retry_after.or_else(|| empty_for(said)).or(said.reset);
                Some(known.unwrap_or(bucket))
            }
            status if AWAY.contains(&status) => said.retry_after,
            _ => None,
        };
        self.closed_until = self.closed_until.max(closed.map(|wait| now.plus(wait)));
        // Amounts that are back at once refuse nothing.
        self.roll(now);
    }

    /// Admits nothing before `until`.
    pub fn close(&mut self, until: Tick) {
        self.closed_until = self.closed_until.max(Some(until));
    }

    /// Whether it is closed for some time.
    pub const fn is_closed(&self) -> bool {
        self.closed_until.is_some()
    }

    /// Forgets reports that are over at `now`.
    pub fn roll(&mut self, now: Tick) {
        let over = |known: &LeftUntil| known.until <= now;
        self.tokens.take_if(|known| over(known));
        self.requests.take_if(|known| over(known));
        self.closed_until.take_if(|until| *until <= now);
    }

    /// Whether a report is over by `at`.
    pub fn may_change_by(&self, at: Tick) -> bool {
        let ends = [self.tokens, self.requests].map(|known| known.map(|known| known.until));
        let [tokens, requests] = ends;
        [tokens, requests, self.closed_until].into_iter().flatten().any(|until| until <= at)
    }

    /// From when on nothing counts of what was reported, or `None` for never: a limit of a window
    /// counts on.
    pub fn silent_from(&self) -> Option<Tick> {
        let ends = [self.tokens, self.requests].map(|known| known.map(|known| known.until));
        let last = ends.into_iter().chain([self.closed_until]).flatten().max();
        self.max.is_none().then(|| last.unwrap_or(Tick::from_nanos(0)))
    }

    /// The limit of a window, where the meter itself allows `max`.
    pub fn ceiling(&self, max: u64) -> u64 {
        self.max.map_or(max, |limit| max.min(limit))
    }

    /// What could still be admitted beside the `reserved` amounts of running calls, which the
    /// provider may not have counted yet.
    pub fn room(&self, reserved: u64) -> u64 {
        let none_left = self.requests.is_some_and(|known| known.left == 0);
        match &self.tokens {
            _ if none_left || self.closed_until.is_some() => 0,
            Some(known) => known.left.saturating_sub(reserved),
            None => u64::MAX,
        }
    }

    /// Whether `amount` is admitted. If nothing is left, not even zero is.
    pub fn admits(&self, reserved: u64, amount: u64) -> bool {
        let room = self.room(reserved);
        amount <= room && (room > 0 || !(self.is_shut() || self.is_overdrawn(reserved)))
    }

    fn is_shut(&self) -> bool {
        let empty = |known: &Option<LeftUntil>| known.is_some_and(|known| known.left == 0);
        self.closed_until.is_some() || empty(&self.tokens) || empty(&self.requests)
    }

    /// Whether running calls hold more than is left. Then not even zero is admitted.
    fn is_overdrawn(&self, reserved: u64) -> bool {
        self.tokens.is_some_and(|known| known.left < reserved)
    }

    /// When [`admits`](Self::admits) may pass what it refuses now: the latest time of all reports
    /// that refuse it.
    pub fn opens_at(&self, reserved: u64, amount: u64) -> Option<Tick> {
        let empty = |known: &&LeftUntil| known.left == 0;
        let fits = |known: &&LeftUntil| {
            known.left.checked_sub(reserved).is_some_and(|room| amount <= room)
        };
        let short = |known: &&LeftUntil| empty(known) || !fits(known);
        let tokens = self.tokens.as_ref().filter(short).map(|known| known.until);
        let requests = self.requests.as_ref().filter(empty).map(|known| known.until);
        [self.closed_until, tokens, requests].into_iter().max().flatten()
    }

    /// Counts `amount` as used since the report.
    pub fn charge(&mut self, amount: u64) {
        if let Some(known) = &mut self.tokens {
            known.left = known.left.saturating_sub(amount);
        }
    }

    /// Counts a request as admitted since the report.
    pub fn take_request(&mut self) {
        if let Some(known) = &mut self.requests {
            known.left = known.left.saturating_sub(1);
        }
    }
}

/// A limit per minute, scaled to `period`.
fn scaled(limit: u64, period: Duration) -> u64 {
    let minutes = period.as_nanos().div_ceil(MINUTE.as_nanos()).max(1);
    limit.saturating_mul(u64::try_from(minutes).unwrap_or(u64::MAX))
}

/// How long an empty limit stays empty.
fn empty_for(said: &RateHeaders) -> Option<Duration> {
    let both = [said.tokens, said.requests].into_iter().flatten();
    both.filter(|left| left.remaining == 0).filter_map(|left| left.reset).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: [Duration; 2] = [MINUTE, Duration::from_secs(1)];

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    fn left(remaining: u64, seconds: u64) -> Option<Left> {
        Some(Left { remaining, reset: Some(Duration::from_secs(seconds)) })
    }

    #[test]
    fn what_is_left_is_never_admitted_above_and_is_over_at_its_reset() {
        let mut limit = ProviderLimit::default();
        limit.hear(
            &RateHeaders { tokens: left(100, 30), ..RateHeaders::default() },
            200,
            SPANS,
            at(0),
        );
        assert!(limit.admits(40, 60) && !limit.admits(40, 61));
        limit.charge(90);
        assert!(limit.admits(0, 10) && !limit.admits(0, 11));
        assert_eq!(limit.opens_at(0, 11), Some(at(30)));
        limit.roll(at(30));
        assert!(limit.admits(0, u64::MAX));
    }

    #[test]
    fn t12_more_under_way_than_is_left_refuses_even_nothing() {
        let mut limit = ProviderLimit::default();
        let said = RateHeaders { tokens: left(1, 30), ..RateHeaders::default() };
        limit.hear(&said, 200, SPANS, at(0));
        assert!(!limit.admits(2, 0));
        assert_eq!(limit.opens_at(2, 0), Some(at(30)));
        assert!(limit.admits(1, 0), "full is not over");
        assert_eq!(limit.opens_at(1, 0), None);
    }

    #[test]
    fn nothing_left_refuses_even_nothing() {
        for (tokens, requests) in [(left(0, 5), None), (None, left(0, 5))] {
            let mut limit = ProviderLimit::default();
            let said = RateHeaders { tokens, requests, ..RateHeaders::default() };
            limit.hear(&said, 200, SPANS, at(0));
            assert!(!limit.admits(0, 0));
            assert_eq!(limit.opens_at(0, 0), Some(at(5)));
        }
    }

    #[test]
    fn a_refusal_closes_until_its_retry_after_and_an_older_answer_does_not_open() {
        let mut limit = ProviderLimit::default();
        let after = |seconds| RateHeaders {
            retry_after: Some(Duration::from_secs(seconds)),
            tokens: left(500, 60),
            ..RateHeaders::default()
        };
        limit.hear(&after(7), 429, SPANS, at(0));
        limit.hear(&after(1), 200, SPANS, at(1));
        assert_eq!((limit.room(0), limit.opens_at(0, 1)), (0, Some(at(7))));
        limit.roll(at(7));
        assert_eq!(limit.room(0), 500);
    }

    #[test]
    fn a_refusal_that_says_nothing_closes_for_a_bucket_and_an_error_not_at_all() {
        let mut limit = ProviderLimit::default();
        limit.hear(&RateHeaders::default(), 429, SPANS, at(0));
        assert_eq!(limit.opens_at(0, 1), Some(at(1)));
        let mut limit = ProviderLimit::default();
        limit.hear(&RateHeaders::default(), 500, SPANS, at(0));
        limit.hear(&RateHeaders::default(), 503, SPANS, at(0));
        assert!(limit.admits(0, u64::MAX));
    }

    #[test]
    fn a_limit_a_minute_is_scaled_up_to_longer_windows() {
        assert_eq!(scaled(100, Duration::from_secs(1)), 100);
        assert_eq!(scaled(100, MINUTE), 100);
        assert_eq!(scaled(100, Duration::from_secs(3600)), 6_000);
        assert_eq!(scaled(u64::MAX, Duration::from_secs(3600)), u64::MAX);
    }
}
