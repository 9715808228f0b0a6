//! The rate limit that a provider reports. No more than this limit is ever admitted.

mod known;
mod pace;

use std::time::Duration;

use smallvec::SmallVec;

use self::known::KnownLimit;
use self::pace::Pace;
use super::clock::Tick;
use super::headers::{RateHeaders, ReportedUnit};

const TOO_MANY_REQUESTS: u16 = 429;
/// Unavailable and overloaded (Anthropic). They close the limit only if they report for how long.
const AWAY: [u16; 2] = [503, 529];
/// The most limits that are kept. A response reports at most as many.
const KEPT_MAX: usize = 16;

/// The meter that hears of a provider's limit: its window, the width of a slot in it, and its limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hearing {
    pub(super) period: Duration,
    pub(super) slot: Duration,
    pub(super) limit: u64,
    /// Whether what is said of tokens bounds it, and what is said of requests.
    pub(super) tokens: bool,
    pub(super) requests: bool,
    /// Whether all this was said of one model, of which the meter does not know the calls.
    pub(super) for_model: bool,
}

/// The latest limits that a provider has reported.
#[derive(Clone, Debug, Default)]
pub struct ProviderLimit {
    /// Each limit by its name.
    kept: SmallVec<[KnownLimit; 2]>,
    /// Closed until this time: nothing is admitted before it.
    closed_until: Option<Tick>,
    /// How requests start again after that.
    pace: Option<Pace>,
}

impl ProviderLimit {
    /// Updates the limits from a response. What the response does not report stays. An older response
    /// does not open a closed limit.
    pub(super) fn hear(&mut self, said: &RateHeaders, status: u16, by: Hearing, now: Tick) {
        for reported in &said.limits {
            let bounds = match reported.unit() {
                ReportedUnit::Tokens => by.tokens,
                ReportedUnit::Requests => by.requests,
            };
            if !bounds {
                continue;
            }
            if let Some(known) = self.kept.iter_mut().find(|known| known.is_of(reported)) {
                known.hear(reported, by.period, now);
            } else if self.kept.len() < KEPT_MAX {
                self.kept.push(KnownLimit::new(reported, by.period, now));
            }
        }
        let closed = match status {
            TOO_MANY_REQUESTS => {
                let known = said.retry_after.or_else(|| said.empty_for()).or(said.reset);
                Some(known.unwrap_or(by.slot))
            }
            status if AWAY.contains(&status) => said.retry_after,
            _ => None,
        };
        // A time that has passed closes nothing.
        if let Some(wait) = closed.filter(|wait| !wait.is_zero()) {
            let opens = self.closed_until.max(Some(now.plus(wait))).unwrap_or(now);
            self.closed_until = Some(opens);
            if status == TOO_MANY_REQUESTS {
                self.pace = Some(Pace::new(opens, by.period, self.ceiling(by.limit)));
            }
        }
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
        self.kept.retain(|kept| kept.roll(now));
        self.closed_until.take_if(|until| *until <= now);
        self.pace.take_if(|pace| pace.until() <= now);
        if let Some(pace) = &mut self.pace {
            pace.roll(now);
        }
    }

    /// Whether what it admits may change by `at`.
    pub fn may_change_by(&self, at: Tick) -> bool {
        let kept = self.kept.iter().filter_map(KnownLimit::ends_first);
        let paced = self.pace.iter().map(Pace::next);
        kept.chain(paced).chain(self.closed_until).any(|until| until <= at)
    }

    /// From when on nothing counts of what was reported.
    pub fn silent_from(&self) -> Tick {
        let kept = self.kept.iter().filter_map(KnownLimit::ends_last);
        let paced = self.pace.iter().map(Pace::until);
        kept.chain(paced).chain(self.closed_until).max().unwrap_or(Tick::from_nanos(0))
    }

    /// The limit of a window, where the meter itself allows `max`.
    pub fn ceiling(&self, max: u64) -> u64 {
        self.kept.iter().filter_map(KnownLimit::max).fold(max, u64::min)
    }

    fn tokens(&self) -> impl Iterator<Item = &KnownLimit> {
        self.kept.iter().filter(|kept| kept.counts_tokens())
    }

    /// What could still be admitted beside the `reserved` amounts of running calls, which the
    /// provider may not have counted yet.
    pub fn room(&self, reserved: u64) -> u64 {
        if self.is_shut() {
            return 0;
        }
        let left = self.tokens().filter_map(KnownLimit::left);
        let paced = self.pace.iter().map(Pace::room);
        left.map(|left| left.saturating_sub(reserved)).chain(paced).min().unwrap_or(u64::MAX)
    }

    /// Whether `amount` is admitted. If nothing is left, not even zero is.
    pub fn admits(&self, reserved: u64, amount: u64) -> bool {
        let fits = |left: u64| left.checked_sub(reserved).is_some_and(|room| amount <= room);
        !self.is_shut()
            && self.tokens().filter_map(KnownLimit::left).all(fits)
            && self.pace.is_none_or(|pace| pace.admits(amount))
    }

    fn is_shut(&self) -> bool {
        self.closed_until.is_some() || self.kept.iter().any(|kept| kept.left() == Some(0))
    }

    /// When [`admits`](Self::admits) may pass what it refuses now: the latest time of all reports
    /// that refuse it.
    pub fn opens_at(&self, reserved: u64, amount: u64) -> Option<Tick> {
        let refuses = |kept: &&KnownLimit| {
            let fits = |left: u64| left.checked_sub(reserved).is_some_and(|room| amount <= room);
            kept.left() == Some(0)
                || (kept.counts_tokens() && kept.left().is_some_and(|left| !fits(left)))
        };
        let kept = self.kept.iter().filter(refuses).filter_map(KnownLimit::left_until);
        let paced = self.pace.iter().filter(|pace| !pace.admits(amount));
        let paced = paced.map(|pace| pace.opens_at(amount));
        kept.chain(paced).chain(self.closed_until).max()
    }

    /// Counts `amount` as used since the report.
    pub fn charge(&mut self, amount: u64) {
        self.kept.iter_mut().filter(|kept| kept.counts_tokens()).for_each(|kept| kept.take(amount));
    }

    /// Counts a request of `amount` as started since the report.
    pub fn start(&mut self, amount: u64) {
        self.kept.iter_mut().filter(|kept| !kept.counts_tokens()).for_each(|kept| kept.take(1));
        if let Some(pace) = &mut self.pace {
            pace.start(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const BY: Hearing = Hearing {
        period: MINUTE,
        slot: Duration::from_secs(1),
        limit: 600,
        tokens: true,
        requests: true,
        for_model: false,
    };

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    /// A limit that has heard of headers ("a: 1; b: 2") with a status, each at its second.
    fn heard(responses: &[(u64, u16, &str)]) -> ProviderLimit {
        let mut limit = ProviderLimit::default();
        for (seconds, status, headers) in responses {
            let pairs = headers.split("; ").filter_map(|pair| pair.split_once(": "));
            limit.roll(at(*seconds));
            limit.hear(&RateHeaders::read(pairs, 0), *status, BY, at(*seconds));
        }
        limit
    }

    fn tokens(left: u64, seconds: u64) -> String {
        format!("x-ratelimit-remaining-tokens: {left}; x-ratelimit-reset-tokens: {seconds}")
    }

    #[test]
    fn what_is_left_is_never_admitted_above_and_is_over_at_its_reset() {
        let mut limit = heard(&[(0, 200, &tokens(100, 30))]);
        assert!(limit.admits(40, 60) && !limit.admits(40, 61));
        limit.charge(90);
        assert!(limit.admits(0, 10) && !limit.admits(0, 11));
        assert_eq!(limit.opens_at(0, 11), Some(at(30)));
        limit.roll(at(30));
        assert!(limit.admits(0, u64::MAX));
    }

    #[test]
    fn t12_more_under_way_than_is_left_refuses_even_nothing() {
        let limit = heard(&[(0, 200, &tokens(1, 30))]);
        assert!(!limit.admits(2, 0));
        assert_eq!(limit.opens_at(2, 0), Some(at(30)));
        assert!(limit.admits(1, 0), "full is not over");
        assert_eq!(limit.opens_at(1, 0), None);
    }

    #[test]
    fn nothing_left_refuses_even_nothing() {
        for what in ["tokens", "requests"] {
            let limit = heard(&[(0, 200, &tokens(0, 5).replace("tokens", what))]);
            assert!(!limit.admits(0, 0));
            assert_eq!(limit.opens_at(0, 0), Some(at(5)));
        }
    }

    #[test]
    fn each_window_is_kept_by_its_name_until_its_own_reset() {
        let day = "x-ratelimit-remaining-tokens-day: 300; x-ratelimit-reset-tokens-day: 3600";
        let minute = |left: u64| tokens(left, 20).replace("-tokens", "-tokens-minute");
        let mut limit =
            heard(&[(0, 200, &format!("{day}; {}", minute(50))), (5, 200, &minute(80))]);
        assert!(limit.admits(0, 80) && !limit.admits(0, 81), "the newer report of the minute");
        limit.charge(70);
        limit.roll(at(25));
        assert!(limit.admits(0, 230) && !limit.admits(0, 231), "the day, reported once");
        assert_eq!(limit.opens_at(0, 231), Some(at(3600)));
    }

    #[test]
    fn a_reset_that_is_reported_alone_moves_what_is_known() {
        let limit = heard(&[(0, 200, &tokens(10, 30)), (5, 200, "x-ratelimit-reset-tokens: 50")]);
        assert_eq!(limit.opens_at(0, 11), Some(at(55)));
    }

    #[test]
    fn a_maximum_is_forgotten_a_day_after_it_was_reported_last() {
        let mut limit = heard(&[(0, 200, "x-ratelimit-limit-tokens: 50")]);
        assert_eq!((limit.ceiling(600), limit.silent_from()), (50, at(86_400)));
        limit.roll(at(86_400));
        assert_eq!((limit.ceiling(600), limit.silent_from()), (600, at(0)));
    }

    #[test]
    fn a_refusal_closes_until_its_retry_after_and_an_older_answer_does_not_open() {
        let mut limit = heard(&[
            (0, 429, &format!("retry-after: 7; {}", tokens(500, 60))),
            (1, 200, &format!("retry-after: 1; {}", tokens(500, 60))),
        ]);
        assert_eq!((limit.room(0), limit.opens_at(0, 1)), (0, Some(at(7))));
        limit.roll(at(7));
        assert_eq!(limit.room(0), 500);
    }

    #[test]
    fn after_a_refusal_a_slots_worth_starts_in_each_slot_of_one_window() {
        let mut limit = heard(&[(0, 429, "retry-after: 7")]);
        limit.roll(at(7));
        assert!(limit.admits(0, 10));
        limit.start(10);
        assert!(!limit.admits(0, 1));
        assert_eq!(limit.opens_at(0, 1), Some(at(8)));
        limit.roll(at(66));
        limit.start(10);
        assert!(!limit.admits(0, 1));
        limit.roll(at(67));
        assert!(limit.admits(0, 600), "back to normal");
    }

    #[test]
    fn a_refusal_that_says_nothing_closes_for_a_slot_and_an_error_not_at_all() {
        assert_eq!(heard(&[(0, 429, "")]).opens_at(0, 1), Some(at(1)));
        assert!(heard(&[(0, 500, ""), (0, 503, "")]).admits(0, u64::MAX));
    }
}
