//! Wakes that come back to the ledger, and what is left behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use outlay::{Demand, Grant, Lease, Mailbox, Policy, RateLimiter, RateOptions, Usage, Wait};

use super::kit::{
    HOUR, NANO, Outcome, SECOND, account, ask, core, lease, lifetime, mailbox, manual, outcome,
    reserve, sliding, sums, tokens, wait,
};

/// A mailbox that calls `wake` and can be told afterwards what to do.
fn waking(wake: impl Fn() + Send + Sync + 'static) -> Arc<Mailbox> {
    Mailbox::new(wake)
}

#[test]
fn a_wake_may_release_another_lease() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    let b = account(&core, [lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let other: Mutex<Option<Lease>> = Mutex::new(Some(reserve(&b, 10).unwrap()));
    let on_b = wait(&b, 10, None);
    let release = waking(move || {
        if let Some(lease) = other.lock().unwrap().take() {
            lease.release().unwrap();
        }
    });
    let on_a = Wait::for_lease(&[ask(&a, &[10])], tokens(10), None, release).unwrap();
    held.release().unwrap();
    assert_eq!(outcome(&on_a).0, Outcome::Granted);
    assert_eq!(outcome(&on_b).0, Outcome::Granted);
}

#[test]
fn a_wake_may_take_what_came_and_release_it_on_the_same_account() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let waits: Arc<Mutex<Vec<Wait>>> = Arc::default();
    let served = Arc::new(AtomicUsize::new(0));
    let (all, count) = (Arc::clone(&waits), Arc::clone(&served));
    let post = waking(move || {
        // Who was served gives it back from inside the wake: the next one is served there.
        let Ok(all) = all.try_lock() else { return };
        for wait in all.iter() {
            if let Some(Ok(Grant::Lease(lease))) = wait.take() {
                count.fetch_add(1, Ordering::Relaxed);
                lease.release().unwrap();
            }
        }
    });
    let join = |amount| {
        Wait::for_lease(&[ask(&a, &[amount])], tokens(amount), None, Arc::clone(&post)).unwrap()
    };
    let joined: Vec<Wait> = (1..=10).map(join).collect();
    *waits.lock().unwrap() = joined;
    held.release().unwrap();
    assert_eq!(served.load(Ordering::Relaxed), 10);
    assert_eq!(sums(&a, 0), (0, 0));
    waits.lock().unwrap().clear();
}

#[test]
fn a_wait_may_be_dropped_inside_a_wake() {
    let (_clock, core) = core();
    let a = account(&core, [lifetime(10)]);
    let held = reserve(&a, 10).unwrap();
    let slot: Arc<Mutex<Vec<Wait>>> = Arc::default();
    let inside = Arc::clone(&slot);
    // Its own wait, which was just given all, and one that is still queued.
    let drop_all = waking(move || {
        let waits = std::mem::take(&mut *inside.lock().unwrap());
        drop(waits);
    });
    let own = Wait::for_lease(&[ask(&a, &[10])], tokens(10), None, drop_all).unwrap();
    slot.lock().unwrap().extend([own, wait(&a, 7, None)]);
    let last = wait(&a, 10, None);
    held.release().unwrap();
    lease(&last).release().unwrap();
    assert_eq!(sums(&a, 0), (0, 0));
}

#[test]
fn a_wake_may_move_the_clock_and_queue_again() {
    let (clock, core) = core();
    let a = account(&core, [sliding(10, 60 * SECOND, core.clock().tick())]);
    a.charge(&[Demand::new(0, 10)]).unwrap();
    let next: Arc<Mutex<Option<Wait>>> = Arc::default();
    let (place, inner, of) = (Arc::clone(&next), Arc::clone(&clock), Arc::clone(&a));
    let post = waking(move || {
        inner.advance(SECOND);
        *place.lock().unwrap() = Some(wait(&of, 10, Some(SECOND)));
    });
    let first = Wait::for_lease(&[ask(&a, &[10])], tokens(10), None, post).unwrap();
    clock.advance(HOUR / 2);
    lease(&first).release().unwrap();
    let second = next.lock().unwrap().take().unwrap();
    assert_eq!(outcome(&second).0, Outcome::TimedOut);
    assert_eq!(sums(&a, 0), (0, 0));
}

#[test]
fn nothing_is_left_behind_by_waits_that_are_over() {
    let (clock, core) = core();
    let post = mailbox();
    let kept: Vec<_> = (0..100)
        .map(|n| {
            let a = account(&core, [lifetime(10)]);
            let held = reserve(&a, 10).unwrap();
            let join = |timeout| {
                let asks = [ask(&a, &[1])];
                Wait::for_lease(&asks, tokens(1), timeout, Arc::clone(&post)).unwrap()
            };
            let waits = [join(None), join(Some(SECOND)), join(Some(HOUR))];
            if n % 2 == 0 {
                held.release().unwrap();
            }
            clock.advance(SECOND + NANO);
            drop(waits);
            drop(held);
            let (weak, strong) = (Arc::downgrade(&a), Arc::strong_count(&a));
            assert_eq!(strong, 1, "a queue or a mailbox keeps the account");
            weak
        })
        .collect();
    assert!(kept.iter().all(|weak| weak.upgrade().is_none()));
    // The clock forgets the accounts that are gone when it is moved, the sweep when it comes.
    clock.advance(2 * HOUR);
    let a = account(&core, [lifetime(10)]);
    for _ in 0..100 {
        drop(reserve(&a, 0).unwrap());
    }
    let counts: Vec<usize> = kept.iter().map(Weak::weak_count).collect();
    assert!(counts.iter().all(|count| *count <= 1), "{counts:?}");
    assert_eq!(post.next_refresh(), None);
}

#[test]
fn a_storm_of_waits_that_leave_holds_nothing_and_blocks_nobody() {
    let (clock, injected) = manual();
    let options = RateOptions {
        clock: injected,
        threshold: 1.0,
        policy: Policy { lease_ttl: HOUR, ..Policy::default() },
        ..RateOptions::default()
    };
    let limiter = RateLimiter::new(100, options).unwrap();
    limiter.record_usage(100).unwrap();
    let mut waits: Vec<Wait> = (0..1_000_u64)
        .map(|n| {
            let usage = Usage::tokens(n % 101);
            let timeout = (n % 7 == 0).then_some(90 * SECOND);
            if n % 2 == 0 {
                limiter.wait_for_slot(n % 101, timeout, mailbox()).unwrap()
            } else {
                Wait::for_lease(&[limiter.ask(&usage)], usage.into(), timeout, mailbox()).unwrap()
            }
        })
        .collect();
    clock.advance(62 * SECOND);
    // Some were served, some wait: they leave from both ends and from the middle.
    while !waits.is_empty() {
        drop(waits.swap_remove(waits.len() / 2));
        clock.advance(NANO);
    }
    assert_eq!(sums(limiter.account(), 0), (0, 0));
    assert!(limiter.try_acquire(100).unwrap());
}
