//! Sliding windows against the exact log of what was admitted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use outlay::{Account, Clock, Code, Core, Demand, Error, Key, Limit, ManualClock, Meter};
use outlay::{Policy, Unit, Window};
use proptest::prelude::*;

const MINUTE: u64 = 60_000_000_000;

fn account(clock: &Arc<ManualClock>, limit: u64, period: u64, slots: u16) -> Arc<Account> {
    let core = Core::new(Clock::Manual(Arc::clone(clock)), Policy::default());
    let period = Duration::from_nanos(period);
    let window = Window::sliding(period, slots, core.clock().tick()).unwrap();
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(limit)), window);
    Account::new(&core, Key::parse("id", "a").unwrap(), Code::RateLimitExceeded, [meter])
}

/// The most that any span of `period` (open at one end) holds, of (time, amount) in order.
fn most_in_any_span(log: &[(u64, u64)], period: u64) -> u64 {
    let (mut most, mut sum) = (0, 0);
    let mut span: VecDeque<(u64, u64)> = VecDeque::new();
    for &(at, amount) in log {
        span.push_back((at, amount));
        sum += amount;
        while span.front().is_some_and(|first| at - first.0 >= period) {
            sum -= span.pop_front().map_or(0, |first| first.1);
        }
        most = most.max(sum);
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_span_of_the_period_ever_holds_more_than_the_limit(
        period in prop_oneof![Just(MINUTE), 1_u64..1_000, 1_u64..1_000_000_000_000],
        slots in prop_oneof![Just(60_u16), 1_u16..100],
        limit in 1_u64..200,
        calls in prop::collection::vec((0_u64..=100, 1_u64..60), 1..200),
    ) {
        let clock = Arc::new(ManualClock::new());
        let account = account(&clock, limit, period, slots);
        let (mut log, mut now) = (Vec::new(), 0);
        for (percent, amount) in calls {
            // Steps of up to a third of the period, often none, sometimes over its end.
            let step = if percent == 100 { period } else { period * (percent / 3 * 3) / 300 };
            clock.advance(Duration::from_nanos(step));
            now += step;
            if account.charge(&[Demand::new(0, amount)]).is_ok() {
                log.push((now, amount));
            }
        }
        prop_assert!(most_in_any_span(&log, period) <= limit);
    }

    #[test]
    fn the_same_request_passes_exactly_when_the_refusal_says(
        period in prop_oneof![Just(MINUTE), 100_u64..1_000_000_000_000],
        slots in prop_oneof![Just(60_u16), 1_u16..100],
        calls in prop::collection::vec((0_u64..30, 1_u64..100), 1..60),
    ) {
        let clock = Arc::new(ManualClock::new());
        let account = account(&clock, 100, period, slots);
        for (percent, amount) in calls {
            clock.advance(Duration::from_nanos(period * percent / 100));
            let Err(Error::Denied(denied)) = account.charge(&[Demand::new(0, amount)]) else { continue };
            let wait = denied.retry_after.unwrap();
            prop_assert!(wait > Duration::ZERO);
            clock.advance(wait - Duration::from_nanos(1));
            let early = account.charge(&[Demand::new(0, amount)]);
            prop_assert!(early.is_err(), "too late by a nanosecond or more");
            clock.advance(Duration::from_nanos(1));
            prop_assert!(account.charge(&[Demand::new(0, amount)]).is_ok(), "too early");
        }
    }
}

/// What an exact log admits of the same calls.
fn exact(calls: &[(u64, u64)], limit: u64, period: u64) -> u64 {
    let mut span: VecDeque<(u64, u64)> = VecDeque::new();
    let (mut sum, mut admitted) = (0, 0);
    for &(at, amount) in calls {
        while span.front().is_some_and(|first| at - first.0 >= period) {
            sum -= span.pop_front().map_or(0, |first| first.1);
        }
        if sum + amount <= limit {
            span.push_back((at, amount));
            sum += amount;
            admitted += amount;
        }
    }
    admitted
}

#[test]
fn a_steady_load_is_admitted_to_98_percent_of_an_exact_log() {
    // 20 calls a second of 1 to 1,000 tokens for an hour, at loads around the limit.
    for percent in [60, 100, 120, 200, 500] {
        let clock = Arc::new(ManualClock::new());
        let mut seed = 7_u64;
        let mut roll = |sides: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides
        };
        let calls: Vec<(u64, u64)> =
            (0..72_000).map(|n| (n * MINUTE / 1_200, 1 + roll(1_000))).collect();
        let limit = 1_200 * 500 * 100 / percent;
        let account = account(&clock, limit, MINUTE, 60);
        let (mut now, mut admitted) = (0, 0);
        for &(at, amount) in &calls {
            clock.advance(Duration::from_nanos(at - now));
            now = at;
            admitted += account.charge(&[Demand::new(0, amount)]).map_or(0, |()| amount);
        }
        let exact = exact(&calls, limit, MINUTE);
        assert!(admitted <= exact + limit, "more than the exact log at {percent} %");
        let share = admitted * 1_000 / exact;
        assert!(share >= 980, "{} of 1000 of the exact log at {percent} % load", share);
    }
}
