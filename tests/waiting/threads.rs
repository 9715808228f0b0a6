//! Real threads that wait by the machine's clock: nobody is stuck, nobody is early, all in turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{scope, yield_now};
use std::time::Duration;

use outlay::{
    Actual, Clock, Error, Grant, Lease, Mailbox, PoolOptions, RateLimiter, RateOptions, Request,
    SharedPool, Sleeper, Tick, Usage, Wait,
};

const THREADS: u64 = 200;
const WINDOW: Duration = Duration::from_millis(200);
const MILLISECOND: Duration = Duration::from_millis(1);
/// Nobody may need that long: a wait that does is stuck.
const STUCK: Option<Duration> = Some(Duration::from_secs(30));

fn now() -> Tick {
    Clock::System.precise_tick()
}

fn pool(tokens: u64) -> SharedPool {
    let options = PoolOptions { capacity_tokens: Some(tokens), ..PoolOptions::default() };
    SharedPool::new(options).unwrap()
}

fn limiter(tokens: u64) -> RateLimiter {
    let options = RateOptions { threshold: 1.0, ..RateOptions::default() };
    RateLimiter::per(tokens, WINDOW, options).unwrap()
}

fn tokens(amount: u64) -> Request {
    Usage::tokens(amount).into()
}

/// Prints the middle and the worst of `late`, and gives the worst.
fn print(what: &str, mut late: Vec<Duration>) -> Duration {
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100];
    println!("{what}: first {:?}, p50 {:?}, p99 {:?}", at(0), at(50), at(99));
    at(100)
}

#[test]
fn two_hundred_threads_share_a_pool_and_none_is_stuck() {
    let pool = pool(50);
    let (held, most, start) = (AtomicU64::new(0), AtomicU64::new(0), Barrier::new(200));
    scope(|scope| {
        for thread in 0..THREADS {
            let (pool, held, most, start) = (&pool, &held, &most, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..5 {
                    let amount = 1 + (thread * 7 + round * 13) % 50;
                    let lease = pool.reserve_blocking(tokens(amount), STUCK).unwrap();
                    let sum = held.fetch_add(amount, Ordering::SeqCst) + amount;
                    most.fetch_max(sum, Ordering::SeqCst);
                    yield_now();
                    held.fetch_sub(amount, Ordering::SeqCst);
                    match (thread + round) % 3 {
                        0 => lease.commit(Actual::Tokens(0)).unwrap(),
                        1 => lease.release().unwrap(),
                        _ => lease.abandon(outlay::Abandoned::Error),
                    }
                }
            });
        }
    });
    let most = most.into_inner();
    assert!(most <= 50 && most > 25, "{most} of 50 were held at once");
    assert_eq!(pool.reserved().unwrap(), Usage::zero());
    drop(pool.reserve(tokens(50)).unwrap());
}

#[test]
fn two_hundred_threads_on_a_limiter_never_use_more_in_any_window() {
    let limiter = limiter(100);
    let (log, start) = (Mutex::new(Vec::new()), Barrier::new(200));
    scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                let lease = limiter.reserve_blocking(Usage::tokens(4), None, STUCK).unwrap();
                log.lock().unwrap().push(now());
                lease.commit(Actual::Estimate).unwrap();
            });
        }
    });
    let mut log = log.into_inner().unwrap();
    log.sort_unstable();
    assert_eq!(log.len(), 200);
    let mut span = VecDeque::new();
    for at in log {
        span.push_back(at);
        while at.since(*span.front().unwrap()) >= WINDOW {
            span.pop_front();
        }
        assert!(4 * span.len() <= 100, "{} calls in a window", span.len());
    }
}

#[test]
fn two_hundred_threads_get_their_slots() {
    let limiter = limiter(100);
    let start = Barrier::new(200);
    scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                limiter.acquire_slot_blocking(2, STUCK).unwrap();
                limiter.record_usage(2).unwrap();
            });
        }
    });
    assert!(limiter.current_usage().unwrap() <= 400);
}

/// Queues here, in this order; each waits in a thread of its own. What each was given, and when
/// its thread went on.
fn in_threads(
    waits: impl Iterator<Item = (Wait, Arc<Sleeper>)>,
    then: impl FnOnce(),
) -> Vec<(Result<Lease, Error>, Tick)> {
    let waits: Vec<_> = waits.collect();
    scope(|scope| {
        let block = |(wait, sleeper): (Wait, Arc<Sleeper>)| {
            move || match wait.block(&sleeper) {
                Ok(Grant::Lease(lease)) => (Ok(lease), now()),
                Ok(Grant::Slot(_)) => panic!("a slot"),
                Err(error) => (Err(error), now()),
            }
        };
        let threads: Vec<_> = waits.into_iter().map(|wait| scope.spawn(block(wait))).collect();
        then();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn on_pool(pool: &SharedPool, amount: u64, timeout: Option<Duration>) -> (Wait, Arc<Sleeper>) {
    let sleeper = Sleeper::new();
    let wait = pool.wait(tokens(amount), timeout, Mailbox::for_thread(&sleeper));
    (wait.unwrap(), sleeper)
}

fn on_limiter(
    limiter: &RateLimiter,
    amount: u64,
    timeout: Option<Duration>,
) -> (Wait, Arc<Sleeper>) {
    let sleeper = Sleeper::new();
    let asks = [limiter.ask(&Usage::tokens(amount))];
    let wait = Wait::for_lease(&asks, tokens(amount), timeout, Mailbox::for_thread(&sleeper));
    (wait.unwrap(), sleeper)
}

#[test]
fn capacity_goes_to_the_threads_in_the_order_of_their_tickets() {
    let pool = pool(100);
    let leases: Vec<Lease> = (0..100).map(|_| pool.reserve(tokens(1)).unwrap()).collect();
    let amounts = (0..100_u64).map(|n| 1 + n * 17 % 40);
    let waits = amounts.map(|amount| on_pool(&pool, amount, STUCK));
    let last = AtomicU64::new(0);
    let given = in_threads(waits, || {
        // Two threads give it back, while those who are served do too.
        let (here, there) = leases.split_at(50);
        scope(|scope| {
            scope.spawn(|| here.iter().for_each(|lease| lease.release().unwrap()));
            there.iter().for_each(|lease| lease.release().unwrap());
        });
        // Their leases last until all have one: so the rest is made room for.
        let options = outlay::Limit::new(outlay::Unit::Tokens, Some(1_000_000));
        pool.account().adjust(|meters, _| meters[0].set_limit(&options)).unwrap();
    });
    for (lease, _) in given {
        // Leases are numbered in the order in which they are given.
        let id = lease.unwrap().id();
        assert!(last.swap(id, Ordering::Relaxed) < id, "out of turn");
    }
}

#[test]
fn threads_are_woken_when_the_window_slides_and_when_somebody_releases() {
    let limiter = limiter(100);
    limiter.account().charge(&[(0, 100)]).unwrap();
    let due = now().plus(limiter.account().charge(&[(0, 1)]).map_or_else(
        |error| match error {
            Error::Denied(denied) => denied.retry_after.unwrap(),
            other => panic!("{other:?}"),
        },
        |()| Duration::ZERO,
    ));
    let waits = (0..100).map(|_| on_limiter(&limiter, 1, STUCK));
    let given = in_threads(waits, || ());
    let late: Vec<Duration> = given.iter().map(|(_, at)| at.since(due)).collect();
    // The moment was read before the clock was: it may seem a little later than it is.
    assert!(given.iter().all(|(_, at)| at.plus(MILLISECOND) >= due), "too early");
    assert!(print("woken by the clock, 100 threads", late) < Duration::from_secs(5));

    let pool = pool(100);
    let lease = pool.reserve(tokens(100)).unwrap();
    let waits = (0..100).map(|_| on_pool(&pool, 1, STUCK));
    let released = Mutex::new(None);
    let given = in_threads(waits, || {
        *released.lock().unwrap() = Some(now());
        lease.release().unwrap();
    });
    let released = released.into_inner().unwrap().unwrap();
    let late: Vec<Duration> = given.iter().map(|(_, at)| at.since(released)).collect();
    assert!(print("woken by a release, 100 threads", late) < Duration::from_secs(5));
}

#[test]
fn a_hand_over_from_thread_to_thread_is_quick() {
    let pool = pool(1);
    let (late, last) = (Mutex::new(Vec::new()), Mutex::new(None));
    scope(|scope| {
        for thread in 0..2 {
            let (pool, late, last) = (&pool, &late, &last);
            scope.spawn(move || {
                for _ in 0..500 {
                    let lease = pool.reserve_blocking(tokens(1), STUCK).unwrap();
                    let at = now();
                    match last.lock().unwrap().take() {
                        Some((of, _)) if of == thread => {}
                        Some((_, before)) => late.lock().unwrap().push(at.since(before)),
                        None => {}
                    }
                    // So that the other one waits meanwhile.
                    yield_now();
                    *last.lock().unwrap() = Some((thread, now()));
                    lease.release().unwrap();
                }
            });
        }
    });
    let late = late.into_inner().unwrap();
    println!("{} hand-overs", late.len());
    assert!(print("handed over between two threads", late) < Duration::from_secs(5));
}

#[test]
fn timeouts_end_near_their_time_whoever_watches_the_clock() {
    for rising in [true, false] {
        let pool = pool(1);
        let _all = pool.reserve(tokens(1)).unwrap();
        let start = now();
        let timeout = |n: u32| MILLISECOND * if rising { 50 + n } else { 150 - n };
        let waits = (0..100).map(|n| on_pool(&pool, 1, Some(timeout(n))));
        let mut late = Vec::new();
        for (n, (error, at)) in (0..).zip(in_threads(waits, || ())) {
            assert!(matches!(error, Err(Error::TimedOut(_))), "{error:?}");
            let took = at.since(start);
            assert!(took >= timeout(n), "{took:?} is before {:?}", timeout(n));
            late.push(took - timeout(n));
        }
        let what = if rising { "timeouts, the first first" } else { "timeouts, the last first" };
        assert!(print(what, late) < Duration::from_secs(5));
    }
}

#[test]
fn the_next_thread_watches_the_clock_when_the_first_has_gone() {
    let limiter = limiter(100);
    limiter.account().charge(&[(0, 100)]).unwrap();
    let start = now();
    // The first is over before the window slides; the second leaves and never looked.
    let first = on_limiter(&limiter, 1, Some(MILLISECOND * 20));
    let second = on_limiter(&limiter, 1, None);
    let third = on_limiter(&limiter, 1, STUCK);
    let fourth = on_limiter(&limiter, 1, STUCK);
    let given = in_threads([first, third, fourth].into_iter(), || drop(second));
    assert!(matches!(given[0].0, Err(Error::TimedOut(_))));
    for (lease, at) in &given[1..] {
        assert!(lease.is_ok() && at.since(start) >= WINDOW - MILLISECOND);
    }
}

#[test]
fn one_mailbox_with_many_waits_ends_each_in_time() {
    let (limiter, pool) = (limiter(100), pool(1));
    limiter.account().charge(&[(0, 100)]).unwrap();
    let _all = pool.reserve(tokens(1)).unwrap();
    let sleeper = Sleeper::new();
    let waker = Arc::clone(&sleeper);
    let mailbox = Mailbox::new(move || waker.wake());
    let join = |n: u64| {
        let asks = [limiter.ask(&Usage::tokens(1)), pool.ask(&Usage::tokens(n % 2))];
        let timeout = Some(WINDOW + WINDOW / 2 + MILLISECOND);
        Wait::for_lease(&asks, tokens(1), timeout, Arc::clone(&mailbox)).unwrap()
    };
    let waits: Vec<Wait> = (0..100).map(join).collect();
    let mut ended = Vec::new();
    while ended.len() < waits.len() {
        let next = mailbox.refresh();
        ended.extend(mailbox.take_posted());
        if ended.len() < waits.len() {
            sleeper.sleep(next);
        }
    }
    for (n, wait) in waits.iter().enumerate() {
        match wait.take().unwrap() {
            // Those who ask the pool for nothing pass when the window slides.
            Ok(_) => assert_eq!(n % 2, 0),
            Err(Error::TimedOut(_)) => assert_eq!(n % 2, 1),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(mailbox.next_refresh(), None, "nothing is left to look at");
}

#[test]
fn storms_of_waits_that_leave_lose_nothing() {
    let (a, b) = (pool(10), pool(10));
    scope(|scope| {
        for thread in 0..8_u64 {
            let (a, b) = (&a, &b);
            scope.spawn(move || {
                for round in 0..1_500_u64 {
                    let amount = 1 + (thread + round * 3) % 10;
                    let usage = Usage::tokens(amount);
                    let mut asks = vec![a.ask(&usage), b.ask(&usage)];
                    match (thread + round) % 4 {
                        0 => asks.reverse(),
                        1 => drop(asks.pop()),
                        _ => {}
                    }
                    let wait = Wait::for_lease(&asks, tokens(amount), None, Mailbox::new(|| ()));
                    let wait = wait.unwrap();
                    yield_now();
                    if round % 2 == 0 {
                        match wait.take() {
                            Some(Ok(Grant::Lease(lease))) => lease.release().unwrap(),
                            None => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
                let asks = [a.ask(&Usage::tokens(10)), b.ask(&Usage::tokens(10))];
                outlay::reserve_blocking(&asks, tokens(10), STUCK).unwrap().release().unwrap();
            });
        }
    });
    for pool in [&a, &b] {
        assert_eq!(pool.reserved().unwrap(), Usage::zero());
        assert_eq!(pool.committed().unwrap(), Usage::zero());
        pool.reserve(tokens(10)).unwrap().release().unwrap();
    }
}
