//! The limiter through its Rust face.

use std::sync::Arc;
use std::time::Duration;

use outlay::{Actual, Cause, Clock, Code, Error, ManualClock, RateLimiter, RateOptions, Usage};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// 2024-02-29 23:59:30 UTC in nanoseconds since 1970.
const LEAP_DAY_END: i64 = 1_709_251_170_000_000_000;

fn limiter(tokens: u64) -> (Arc<ManualClock>, RateLimiter) {
    let clock = Arc::new(ManualClock::new());
    let options = RateOptions { clock: Clock::Manual(Arc::clone(&clock)), ..Default::default() };
    (clock, RateLimiter::new(tokens, options).unwrap())
}

#[test]
fn slots_are_given_below_the_threshold_and_within_the_limit() {
    let (clock, limiter) = limiter(1_000);
    limiter.record_usage(799).unwrap();
    assert!(limiter.try_acquire(0).unwrap());
    assert!(limiter.try_acquire(201).unwrap(), "799 are below 80 %, and 201 more fit");
    assert!(!limiter.try_acquire(0).unwrap(), "what the slot holds counts");
    limiter.record_usage(0).unwrap();
    assert!(limiter.try_acquire(0).unwrap(), "the next record has ended it");
    assert!(limiter.try_acquire(201).unwrap());
    clock.advance(SECOND);
    assert!(limiter.try_acquire(0).unwrap(), "so has a sixtieth of the window");
    limiter.record_usage(1).unwrap();
    assert_eq!((limiter.current_usage().unwrap(), limiter.try_acquire(0).unwrap()), (800, false));
}

#[test]
fn one_record_ends_the_oldest_of_several_slots() {
    let (_, limiter) = limiter(1_000);
    assert!(limiter.try_acquire(400).unwrap());
    assert!(limiter.try_acquire(300).unwrap());
    limiter.record_usage(0).unwrap();
    assert!(!limiter.try_acquire(701).unwrap(), "300 are held still");
    assert!(limiter.try_acquire(700).unwrap());
}

#[test]
fn a_million_slots_without_a_record_are_held_and_given_back() {
    let (clock, limiter) = limiter(1_000_000_000);
    for _ in 0..1_000_000 {
        assert!(limiter.try_acquire(1).unwrap());
    }
    let lease = limiter.reserve(Usage::tokens(999_000_000), None).unwrap();
    assert!(limiter.reserve(Usage::tokens(1), None).is_err(), "all of them are held");
    limiter.record_usage(0).unwrap();
    let one = limiter.reserve(Usage::tokens(1), None).expect("a record ends one of them");
    one.release().unwrap();
    lease.release().unwrap();
    clock.advance(SECOND);
    let most = Usage::tokens(1_000_000_000 - 1_000_000 + 1_024);
    limiter.reserve(most, None).expect("the time ends the first, one by one").release().unwrap();
    clock.advance(SECOND / 1_000);
    limiter.reserve(Usage::tokens(1_000_000_000), None).expect("and all others").release().unwrap();
}

#[test]
fn a_lease_uses_the_full_limit_and_settles_with_what_was_used() {
    let (clock, limiter) = limiter(1_000);
    let lease = limiter.reserve(Usage::tokens(1_000), None).unwrap();
    let Err(Error::Denied(refused)) = limiter.reserve(Usage::tokens(1), None) else {
        unreachable!("the limit is held")
    };
    assert_eq!(
        (refused.code, refused.reserved, refused.id),
        (Code::RateLimitExceeded, 1_000, None)
    );
    lease.commit(Actual::Tokens(1_100)).unwrap();
    assert_eq!(limiter.current_usage().unwrap(), 1_100, "what was spent is booked");
    let wait = limiter.retry_after(0).unwrap().unwrap();
    assert_eq!(wait, MINUTE);
    clock.advance(wait - Duration::from_nanos(1));
    assert!(!limiter.try_acquire(0).unwrap());
    clock.advance(Duration::from_nanos(1));
    assert!(limiter.try_acquire(0).unwrap());
    assert_eq!(limiter.retry_after(1_001).unwrap(), None, "it can never pass");
}

#[test]
fn what_the_provider_says_is_never_admitted_above() {
    let (clock, limiter) = limiter(1_000);
    let left = [("X-RateLimit-Remaining-Tokens", "100"), ("x-ratelimit-reset-tokens", "30s")];
    limiter.observe(left, 200).unwrap();
    assert!(!limiter.try_acquire(101).unwrap());
    assert!(limiter.try_acquire(100).unwrap());
    limiter.observe([("retry-after", "40")], 429).unwrap();
    assert_eq!(limiter.retry_after(0).unwrap(), Some(40 * SECOND));
    clock.advance(40 * SECOND);
    assert!(limiter.try_acquire(500).unwrap());
}

#[test]
fn what_only_calls_under_way_hold_of_the_providers_rest_is_held() {
    let (_, limiter) = limiter(1_000);
    let left = [("x-ratelimit-remaining-tokens", "100"), ("x-ratelimit-reset-tokens", "30s")];
    limiter.observe(left, 200).unwrap();
    let lease = limiter.reserve(Usage::tokens(80), Some(10 * SECOND)).unwrap();
    let told = |tokens| match limiter.reserve(Usage::tokens(tokens), None) {
        Err(Error::Denied(denied)) => (denied.cause, denied.retry_after),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(told(50), (Cause::Held, Some(10 * SECOND)), "the lease's end makes room");
    assert_eq!(told(101), (Cause::Spent, Some(30 * SECOND)), "there is no more than 100");
    lease.commit(Actual::Tokens(80)).unwrap();
    assert_eq!(told(50), (Cause::Spent, Some(30 * SECOND)), "80 of the 100 are used");
}

#[test]
fn the_end_of_a_month_and_steps_of_the_wall_clock_change_nothing() {
    let (clock, limiter) = limiter(10);
    clock.set_wall(LEAP_DAY_END);
    limiter.record_usage(10).unwrap();
    clock.advance(45 * SECOND);
    clock.set_wall(0);
    assert_eq!(limiter.current_usage().unwrap(), 10);
    clock.set_wall(i64::MAX);
    clock.advance(15 * SECOND);
    assert_eq!(limiter.current_usage().unwrap(), 0);
}

#[test]
fn a_blocking_wait_that_may_not_wait_is_refused() {
    let (_, limiter) = limiter(10);
    limiter.record_usage(10).unwrap();
    let waited = limiter.reserve_blocking(Usage::tokens(1), None, Some(Duration::ZERO));
    assert!(matches!(waited, Err(Error::TimedOut(_))));
    assert!(matches!(limiter.acquire_slot_blocking(11, None), Err(Error::Denied(_))));
}
