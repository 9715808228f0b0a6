//! The edges of waiting, one by one.

use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Core, Demand, Error, Limit, Mailbox, Meter, Policy, PoolOptions, RateLimiter, RateOptions,
    Request, RequestBudget, SharedPool, Sleeper, Unit, Unsettled, Usage, Wait, Window,
};

use super::kit::{
    HOUR, NANO, Outcome, SECOND, account, ask, core, denied, lease, lifetime, mailbox, manual,
    outcome, reserve, sliding, sums, tokens, wait,
};

#[test]
fn a_long_row_of_waits_over_two_accounts_is_served_on_a_small_stack() {
    let (_clock, core) = core();
    let (a, b) = (account(&core, [lifetime(u64::MAX)]), account(&core, [lifetime(u64::MAX)]));
    let all = reserve(&a, u64::MAX).unwrap();
    let box_ = mailbox();
    let join = || {
        let asks = [ask(&a, &[1]), ask(&b, &[1])];
        Wait::for_lease(&asks, tokens(1), None, Arc::clone(&box_)).unwrap()
    };
    let waits: Vec<Wait> = (0..20_000).map(|_| join()).collect();
    all.release().unwrap();
    assert_eq!(box_.take_posted(), waits.iter().map(Wait::ticket).collect::<Vec<_>>());
    assert_eq!((sums(&a, 0), sums(&b, 0)), ((0, 20_000), (0, 20_000)));
    drop(waits);
    assert_eq!((sums(&a, 0), sums(&b, 0)), ((0, 0), (0, 0)));
}

#[test]
fn what_can_never_pass_is_refused_at_once_whichever_meter_it_is() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10), lifetime(10)]);
    let b = account(&core, [lifetime(10)]);
    let _full = reserve(&a, 10).unwrap();
    let try_join = |asks: &[outlay::Ask]| Wait::for_lease(asks, tokens(1), None, mailbox());
    // The first meter only needs time; the second will never hold it.
    assert_eq!(denied(try_join(&[ask(&a, &[1, 11])])).requested, 11);
    assert_eq!(denied(try_join(&[ask(&a, &[1]), ask(&b, &[11])])).requested, 11);
    b.close().unwrap();
    denied(try_join(&[ask(&a, &[1]), ask(&b, &[1])]));
    let timeout = Some(Duration::ZERO);
    let asks = [ask(&a, &[1, 11])];
    denied(outlay::reserve_blocking(&asks, tokens(1), timeout));
}

#[test]
fn what_becomes_hopeless_in_the_queue_is_refused_at_once() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(100), lifetime(100)]);
    let held = reserve(&a, 50).unwrap();
    let small = wait(&a, 60, None);
    let large = wait(&a, 90, None);
    let asks = [ask(&a, &[60, 50])];
    let other = Wait::for_lease(&asks, tokens(60), None, mailbox()).unwrap();
    // Behind somebody who waits in good hope.
    a.adjust(|meters, _| meters[0].set_limit(&Limit::new(Unit::Tokens, Some(80)))).unwrap();
    assert_eq!(outcome(&large).0, Outcome::Denied);
    assert_eq!(outcome(&small).0, Outcome::Waiting);
    // By what is used: 30 of 80 leaves no room for 60.
    a.record(&[Demand::new(0, 30)]).unwrap();
    assert_eq!(outcome(&small).0, Outcome::Denied);
    assert_eq!(outcome(&other).0, Outcome::Denied);
    assert_eq!(sums(&a, 0), (30, 50));
    held.release().unwrap();
}

#[test]
fn a_head_that_becomes_hopeless_on_another_meter_of_the_account_is_refused() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10), lifetime(10)]);
    let _held = reserve(&a, 10).unwrap();
    let asks = [ask(&a, &[1, 5])];
    let both = Wait::for_lease(&asks, tokens(1), None, mailbox()).unwrap();
    a.record(&[Demand::new(1, 6)]).unwrap();
    assert_eq!(outcome(&both).0, Outcome::Denied);
}

#[test]
fn a_closed_account_refuses_all_that_wait() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10), lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let waits: Vec<Wait> = (0..5).map(|n| wait(&a, n + 1, Some(SECOND))).collect();
    a.close().unwrap();
    for wait in &waits {
        assert_eq!(outcome(wait).0, Outcome::Denied);
    }
    denied(Wait::for_lease(&[ask(&a, &[1])], tokens(1), None, mailbox()));
    held.release().unwrap();
}

#[test]
fn a_timeout_counts_by_the_clock_of_the_account_that_refuses() {
    let (early, a_clock) = manual();
    let (late, b_clock) = manual();
    late.advance(HOUR);
    let a = account(&Core::new(a_clock, Policy::default()), [lifetime(10)]);
    let b = account(&Core::new(b_clock, Policy::default()), [lifetime(10)]);
    let held = reserve(&b, 10).unwrap();
    let asks = [ask(&a, &[1]), ask(&b, &[1])];
    let waiting = Wait::for_lease(&asks, tokens(1), Some(SECOND), mailbox()).unwrap();
    assert_eq!(outcome(&waiting).0, Outcome::Waiting);
    early.advance(2 * SECOND);
    assert_eq!(outcome(&waiting).0, Outcome::Waiting, "it waits by the other clock");
    late.advance(SECOND - NANO);
    assert_eq!(outcome(&waiting).0, Outcome::Waiting);
    late.advance(NANO);
    assert_eq!(outcome(&waiting).0, Outcome::TimedOut);
    held.release().unwrap();
}

#[test]
fn a_pool_refuses_a_wait_above_the_cap_of_its_request() {
    let pool = SharedPool::new(PoolOptions { capacity_tokens: Some(10), ..Default::default() });
    let pool = pool.unwrap();
    let request_budget = RequestBudget { tokens: Some(3), ..RequestBudget::unlimited() };
    let request = Request { request_budget, ..tokens(4) };
    let refused = denied(pool.wait(request.clone(), None, mailbox()));
    assert_eq!(refused, denied(pool.reserve(request)));
    assert_eq!(pool.reserved().unwrap(), Usage::zero());
}

/// Calls count whatever came of them: but a lease that nobody received made none.
#[test]
fn a_grant_that_ran_out_before_anybody_took_it_is_returned_whole() {
    for unsettled in [Unsettled::Charge, Unsettled::Release] {
        let (clock, injected) = manual();
        let core = Core::new(injected, Policy { unsettled, ..Policy::default() });
        let calls = Meter::new(Limit::new(Unit::Calls, Some(1)), Window::Lifetime);
        let a = account(&core, [lifetime(10), calls]);
        let request = Request { ttl: Some(SECOND), ..tokens(10) };
        let asks = [ask(&a, &[10, 1])];
        let granted = Wait::for_lease(&asks, request, None, mailbox()).unwrap();
        clock.advance(2 * SECOND);
        let charged = u64::from(unsettled == Unsettled::Charge);
        assert_eq!((sums(&a, 0), sums(&a, 1)), ((10 * charged, 0), (charged, 0)));
        drop(granted);
        assert_eq!((sums(&a, 0), sums(&a, 1)), ((0, 0), (0, 0)), "{unsettled:?}");
        assert_eq!(a.committed().unwrap(), Usage::zero());
        let all = [ask(&a, &[10, 1])];
        outlay::reserve(&all, &tokens(10)).unwrap().release().unwrap();
    }
}

#[test]
fn a_jump_of_the_clock_ends_waits_as_many_small_steps_do() {
    // 10 of 10 are used at 0; they leave the window of 60 s at 60 s.
    let run = |steps: &[u64]| {
        let (clock, injected) = manual();
        let policy = Policy { unsettled: Unsettled::Release, ..Policy::default() };
        let core = Core::new(injected, policy);
        let a = account(&core, [sliding(10, 60 * SECOND, core.clock().tick())]);
        a.charge(&[Demand::new(0, 10)]).unwrap();
        let request = Request { ttl: Some(5 * SECOND), ..tokens(10) };
        let waits: Vec<Wait> = [300, 68, 69]
            .map(|timeout| {
                let timeout = Some(Duration::from_secs(timeout));
                Wait::for_lease(&[ask(&a, &[10])], request.clone(), timeout, mailbox()).unwrap()
            })
            .into();
        steps.iter().for_each(|step| clock.advance(Duration::from_secs(*step)));
        waits.iter().map(|wait| outcome(wait).0).collect::<Vec<_>>()
    };
    let by_second = run(&[1; 100]);
    // The first has it from 60 to 65 s, the second until 70 s; the third was over at 69 s.
    assert_eq!(by_second, [Outcome::Granted, Outcome::Granted, Outcome::TimedOut]);
    assert_eq!(run(&[100]), by_second);
    assert_eq!(run(&[30, 70]), by_second);
}

#[test]
fn a_jump_over_leases_without_any_time_to_live_still_ends_what_is_over() {
    let (clock, core) = core();
    let a = account(&core, [sliding(10, 60 * SECOND, core.clock().tick())]);
    a.charge(&[Demand::new(0, 10)]).unwrap();
    let request = Request { ttl: Some(Duration::ZERO), ..tokens(10) };
    let join = |seconds| {
        let timeout = Some(Duration::from_secs(seconds));
        Wait::for_lease(&[ask(&a, &[10])], request.clone(), timeout, mailbox()).unwrap()
    };
    let (first, second) = (join(300), join(65));
    clock.advance(100 * SECOND);
    // The first ran out at once and was charged: there is no room for the second in time.
    assert_eq!(outcome(&first).0, Outcome::Granted);
    assert_eq!(outcome(&second).0, Outcome::TimedOut);
}

#[test]
fn a_lease_without_any_time_to_live_makes_room_at_once() {
    let (_clock, injected) = manual();
    let policy = Policy { unsettled: Unsettled::Release, ..Policy::default() };
    let core = Core::new(injected, policy);
    let a = account(&core, [lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let request = Request { ttl: Some(Duration::ZERO), ..tokens(10) };
    let post = mailbox();
    let join =
        || Wait::for_lease(&[ask(&a, &[10])], request.clone(), None, Arc::clone(&post)).unwrap();
    let waits = [join(), join(), join()];
    held.release().unwrap();
    assert_eq!(post.take_posted(), waits.each_ref().map(Wait::ticket));
}

#[test]
fn two_accounts_and_a_jump_over_the_moment_and_the_timeout() {
    for steps in [vec![100], vec![1; 100]] {
        let (clock, core) = core();
        let a = account(&core, [sliding(10, 60 * SECOND, core.clock().tick())]);
        let b = account(&core, [lifetime(10)]);
        a.charge(&[Demand::new(0, 10)]).unwrap();
        let asks = [ask(&a, &[10]), ask(&b, &[10])];
        let timeout = Some(62 * SECOND);
        let both = Wait::for_lease(&asks, tokens(10), timeout, mailbox()).unwrap();
        steps.iter().for_each(|step| clock.advance(Duration::from_secs(*step)));
        assert_eq!(outcome(&both).0, Outcome::Granted, "room at 61 s, over at 62 s: {steps:?}");
    }
}

#[test]
fn nobody_is_forgotten_when_a_listener_panics() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    let b = account(&core, [lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let asks = [ask(&a, &[1]), ask(&b, &[1])];
    let sleeper = Sleeper::new();
    let both = Wait::for_lease(&asks, tokens(1), None, mailbox()).unwrap();
    let asks = [ask(&a, &[2])];
    let thread = Mailbox::for_thread(&sleeper);
    let blocking = Wait::for_lease(&asks, tokens(2), None, thread).unwrap();
    let panicked = std::sync::atomic::AtomicBool::new(false);
    core.subscribe(move |_| {
        if !panicked.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new("a listener"));
        }
    });
    let end = std::panic::AssertUnwindSafe(|| held.release());
    std::panic::catch_unwind(end).unwrap_err();
    lease(&both).release().unwrap();
    // Woken: this does not sleep for ever.
    sleeper.sleep(None);
    lease(&blocking).release().unwrap();
}

#[test]
fn huge_amounts_wait_and_do_not_wrap() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(u64::MAX)]);
    let held = reserve(&a, 1).unwrap();
    let waits: Vec<Wait> = (0..3).map(|_| wait(&a, u64::MAX, None)).collect();
    denied(reserve(&a, 1));
    held.release().unwrap();
    for wait in &waits {
        assert_eq!(sums(&a, 0), (0, u64::MAX));
        lease(wait).release().unwrap();
    }
    assert_eq!(sums(&a, 0), (0, 0));
    let asks = [ask(&a, &[u64::MAX])];
    let twice =
        outlay::Ask::new(&a, [Demand::new(0, u64::MAX), Demand::new(0, 1)].into_iter().collect());
    denied(Wait::for_lease(&[twice], tokens(1), None, mailbox()));
    drop(Wait::for_lease(&asks, tokens(1), Some(Duration::MAX), mailbox()).unwrap());
    assert_eq!(sums(&a, 0), (0, 0));
}

#[test]
fn no_time_at_all_is_a_look_and_a_refusal_by_time() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    let now = wait(&a, 10, Some(Duration::ZERO));
    let asks = [ask(&a, &[1])];
    let late = Wait::for_lease(&asks, tokens(1), Some(Duration::ZERO), mailbox());
    assert!(matches!(late, Err(Error::TimedOut(_))), "{late:?}");
    lease(&now).release().unwrap();
    assert_eq!(sums(&a, 0), (0, 0));
}

#[test]
fn a_limit_that_is_raised_lifted_or_reset_serves_the_queue_in_its_order() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    a.record(&[Demand::new(0, 5)]).unwrap();
    let held = reserve(&a, 5).unwrap();
    let [first, second, third] = [4, 3, 5].map(|amount| wait(&a, amount, None));
    let limit = |max| Limit::new(Unit::Tokens, max);
    a.adjust(|meters, _| meters[0].set_limit(&limit(Some(13)))).unwrap();
    assert_eq!(outcome(&first).0, Outcome::Waiting);
    assert_eq!(outcome(&second).0, Outcome::Waiting, "it does not overtake");
    a.adjust(|meters, _| meters[0].set_limit(&limit(Some(14)))).unwrap();
    assert_eq!(sums(&a, 0), (5, 9));
    a.adjust(|meters, now| meters[0].reset(now)).unwrap();
    assert_eq!(sums(&a, 0), (0, 8), "the reset made room for both");
    let waits = [first, second, third].map(|wait| lease(&wait));
    let more = wait(&a, 7, None);
    a.adjust(|meters, _| meters[0].set_limit(&limit(None).hard(false))).unwrap();
    assert_eq!(outcome(&more).0, Outcome::Granted);
    drop(waits);
    held.release().unwrap();
}

#[test]
fn a_soft_meter_never_makes_anybody_wait() {
    let (_clock, core) = core();
    let soft = Meter::new(Limit::new(Unit::Tokens, Some(1)).hard(false), Window::Lifetime);
    let a = account(&core, [soft]);
    let waits = [0, 1, u64::MAX, u64::MAX].map(|amount| wait(&a, amount, Some(Duration::ZERO)));
    assert!(waits.iter().all(|wait| outcome(wait).0 == Outcome::Granted));
}

#[test]
fn what_a_provider_has_back_at_once_keeps_nobody_waiting() {
    let (clock, injected) = manual();
    let options = RateOptions { clock: injected, ..RateOptions::default() };
    let limiter = RateLimiter::new(100, options).unwrap();
    limiter.observe([("x-ratelimit-remaining-tokens", "0")], 200).unwrap();
    let asks = [limiter.ask(&Usage::tokens(5))];
    let waiting = Wait::for_lease(&asks, tokens(5), None, mailbox()).unwrap();
    clock.advance(SECOND);
    let said = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "0s")];
    limiter.observe(said, 200).unwrap();
    assert_eq!(outcome(&waiting).0, Outcome::Granted);
}
