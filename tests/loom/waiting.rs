//! Waiting in every interleaving of the ledger's locks, for a few threads at a time.

use std::sync::Arc;
use std::time::Duration;

use loom::thread::spawn;
use outlay::{
    Account, Demand, Error, Grant, Lease, Limit, Mailbox, Request, Unit, Unsettled, Usage, Wait,
};

use super::world::{ACTUAL, ESTIMATE, SECOND, TTL, World, ask, explore, reserve, sums};

const NANO: Duration = Duration::from_nanos(1);

fn join(accounts: &[&Arc<Account>], amount: u64, timeout: Option<Duration>) -> Wait {
    let asks: Vec<_> = accounts.iter().map(|account| ask(account, amount)).collect();
    let request = Request::from(Usage::tokens(amount));
    Wait::for_lease(&asks, request, timeout, Mailbox::new(|| ())).unwrap()
}

/// The lease that it was given; `None` while it waits.
fn granted(wait: &Wait) -> Option<Lease> {
    match wait.take()? {
        Ok(Grant::Lease(lease)) => Some(lease),
        other => panic!("{other:?}"),
    }
}

/// Nothing is held, and nobody is in the way of a request for all there is.
fn check_empty(accounts: &[&Arc<Account>]) {
    for account in accounts {
        assert_eq!(sums(account), (0, 0));
    }
    reserve(accounts).release().unwrap();
}

#[test]
fn a_release_and_a_wait_that_leaves_lose_nothing() {
    explore("release, leave", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let lease = reserve(&[&account]);
        let wait = join(&[&account], ESTIMATE, None);
        let thread = spawn(move || lease.release().unwrap());
        drop(wait);
        thread.join().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn the_next_in_the_row_gets_what_one_that_leaves_was_given() {
    explore("release, leave, next", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let lease = reserve(&[&account]);
        let first = join(&[&account], ESTIMATE, None);
        let second = join(&[&account], ESTIMATE, None);
        let thread = spawn(move || lease.release().unwrap());
        drop(first);
        thread.join().unwrap();
        granted(&second).unwrap().release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn two_releases_serve_one_wait() {
    explore("two releases", || {
        let account = World::new(Unsettled::Charge).account(2 * ESTIMATE);
        let leases = [reserve(&[&account]), reserve(&[&account])];
        let wait = join(&[&account], 2 * ESTIMATE, None);
        let threads = leases.map(|lease| spawn(move || lease.release().unwrap()));
        for thread in threads {
            thread.join().unwrap();
        }
        granted(&wait).unwrap().release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn a_wait_is_served_or_over_never_both() {
    explore("release, timeout", || {
        let world = World::new(Unsettled::Charge);
        let account = world.account(ESTIMATE);
        let lease = reserve(&[&account]);
        let wait = join(&[&account], ESTIMATE, Some(SECOND));
        let thread = spawn(move || lease.release().unwrap());
        world.clock.advance(SECOND);
        thread.join().unwrap();
        match wait.take().unwrap() {
            Ok(Grant::Lease(lease)) => {
                assert_eq!(sums(&account), (0, ESTIMATE));
                lease.release().unwrap();
            }
            Err(Error::TimedOut(_)) => assert_eq!(sums(&account), (0, 0)),
            other => panic!("{other:?}"),
        }
        check_empty(&[&account]);
    });
}

#[test]
fn a_wait_that_joins_while_time_passes_is_over_in_time() {
    explore("join, timeout", || {
        let world = World::new(Unsettled::Charge);
        let account = world.account(ESTIMATE);
        let lease = reserve(&[&account]);
        // The account looks whenever the clock was moved.
        drop(join(&[&account], ESTIMATE, None));
        let other = Arc::clone(&account);
        let thread = spawn(move || {
            let asks = [ask(&other, ESTIMATE)];
            let request = Request::from(Usage::tokens(ESTIMATE));
            Wait::for_lease(&asks, request, Some(SECOND), Mailbox::new(|| ()))
        });
        world.clock.advance(2 * SECOND);
        match thread.join().unwrap() {
            Err(Error::TimedOut(_)) => {}
            Err(other) => panic!("{other:?}"),
            Ok(wait) => {
                let over = matches!(wait.take(), Some(Err(Error::TimedOut(_))));
                world.clock.advance(NANO);
                // It joined before the clock was moved, or its second begins after that.
                assert!(over || wait.take().is_none(), "it was over and nobody told it");
            }
        }
        lease.release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn two_threads_that_move_the_clock_end_a_wait_once() {
    explore("two moves", || {
        let world = World::new(Unsettled::Charge);
        let account = world.account(ESTIMATE);
        let lease = reserve(&[&account]);
        let wait = join(&[&account], ESTIMATE, Some(2 * SECOND));
        let clock = Arc::clone(&world.clock);
        let thread = spawn(move || clock.advance(SECOND));
        world.clock.advance(SECOND);
        thread.join().unwrap();
        assert!(matches!(wait.take(), Some(Err(Error::TimedOut(_)))));
        lease.release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn a_wait_over_two_accounts_gets_both_whichever_is_free_first() {
    explore("two accounts, two releases", || {
        let [a, b] = World::new(Unsettled::Charge).two([ESTIMATE, ESTIMATE]);
        let leases = [reserve(&[&a]), reserve(&[&b])];
        let wait = join(&[&b, &a], ESTIMATE, None);
        let threads = leases.map(|lease| spawn(move || lease.release().unwrap()));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((sums(&a), sums(&b)), ((0, ESTIMATE), (0, ESTIMATE)));
        granted(&wait).unwrap().release().unwrap();
        check_empty(&[&a, &b]);
    });
}

#[test]
fn leases_over_both_accounts_in_opposite_order_serve_a_wait_over_both() {
    explore("two accounts, opposite order", || {
        let [a, b] = World::new(Unsettled::Charge).two([2 * ESTIMATE, 2 * ESTIMATE]);
        let leases = [reserve(&[&a, &b]), reserve(&[&b, &a])];
        let wait = join(&[&a, &b], 2 * ESTIMATE, None);
        let threads = leases.map(|lease| spawn(move || lease.release().unwrap()));
        for thread in threads {
            thread.join().unwrap();
        }
        granted(&wait).unwrap().release().unwrap();
        check_empty(&[&a, &b]);
    });
}

#[test]
fn a_wait_over_two_accounts_that_leaves_while_it_is_served_loses_nothing() {
    explore("two accounts, release, leave", || {
        let [a, b] = World::new(Unsettled::Charge).two([ESTIMATE, ESTIMATE]);
        let lease = reserve(&[&a, &b]);
        let wait = join(&[&a, &b], ESTIMATE, None);
        let next = join(&[&b], ESTIMATE, None);
        let thread = spawn(move || lease.release().unwrap());
        drop(wait);
        thread.join().unwrap();
        granted(&next).unwrap().release().unwrap();
        check_empty(&[&a, &b]);
    });
}

#[test]
fn what_was_given_to_one_that_leaves_goes_to_one_that_joins() {
    explore("leave of a grant, join", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let given = join(&[&account], ESTIMATE, None);
        let thread = spawn(move || drop(given));
        let wait = join(&[&account], ESTIMATE, None);
        thread.join().unwrap();
        granted(&wait).unwrap().release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn who_does_not_wait_never_overtakes() {
    explore("release, reserve", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let lease = reserve(&[&account]);
        let wait = join(&[&account], ESTIMATE, None);
        let thread = spawn(move || lease.release().unwrap());
        let overtakes = account.charge(&[Demand::new(0, 1)]).is_ok();
        thread.join().unwrap();
        assert!(!overtakes);
        granted(&wait).unwrap().release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn of_two_that_join_one_is_served_and_the_other_after_it() {
    explore("two joins", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let other = Arc::clone(&account);
        let thread = spawn(move || join(&[&other], ESTIMATE, None));
        let here = join(&[&account], ESTIMATE, None);
        let there = thread.join().unwrap();
        let (first, second) = (granted(&here), granted(&there));
        assert!(first.is_some() ^ second.is_some());
        let next = if first.is_some() { &there } else { &here };
        first.or(second).unwrap().release().unwrap();
        granted(next).unwrap().release().unwrap();
        check_empty(&[&account]);
    });
}

#[test]
fn a_close_refuses_a_wait_that_joins_or_waits() {
    explore("join, close", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let lease = reserve(&[&account]);
        let other = Arc::clone(&account);
        let thread = spawn(move || other.close().unwrap());
        let asks = [ask(&account, ESTIMATE)];
        let request = Request::from(Usage::tokens(ESTIMATE));
        let wait = Wait::for_lease(&asks, request, None, Mailbox::new(|| ()));
        assert!(thread.join().unwrap());
        let end = wait.map(|wait| wait.take().unwrap().map(drop));
        assert!(matches!(end, Err(Error::Denied(_)) | Ok(Err(Error::Denied(_)))), "{end:?}");
        lease.release().unwrap();
    });
}

#[test]
fn a_grant_that_runs_out_while_its_wait_leaves_is_never_charged() {
    explore("leave of a grant, run out", || {
        let world = World::new(Unsettled::Charge);
        let account = world.account(ESTIMATE);
        let given = join(&[&account], ESTIMATE, None);
        let next = join(&[&account], ACTUAL, None);
        let clock = Arc::clone(&world.clock);
        let thread = spawn(move || clock.advance(TTL));
        drop(given);
        thread.join().unwrap();
        drop(next);
        check_empty(&[&account]);
    });
}

#[test]
fn two_waits_over_two_accounts_in_opposite_order_are_both_served() {
    explore("two waits over two accounts", || {
        let [a, b] = World::new(Unsettled::Charge).two([ESTIMATE, ESTIMATE]);
        let lease = reserve(&[&a, &b]);
        let first = join(&[&a, &b], ESTIMATE, None);
        let second = join(&[&b, &a], ESTIMATE, None);
        let thread = spawn(move || lease.release().unwrap());
        drop(first);
        thread.join().unwrap();
        granted(&second).unwrap().release().unwrap();
        check_empty(&[&a, &b]);
    });
}

#[test]
fn a_limit_that_is_raised_while_another_wait_leaves_serves_the_rest() {
    explore("raise, leave", || {
        let account = World::new(Unsettled::Charge).account(ESTIMATE);
        let lease = reserve(&[&account]);
        let large = join(&[&account], ESTIMATE, None);
        let small = join(&[&account], ACTUAL, None);
        let other = Arc::clone(&account);
        let limit = Limit::new(Unit::Tokens, Some(ESTIMATE + ACTUAL));
        let thread = spawn(move || other.adjust(|meters, _| meters[0].set_limit(&limit)).unwrap());
        drop(large);
        thread.join().unwrap();
        granted(&small).unwrap().release().unwrap();
        lease.release().unwrap();
        check_empty(&[&account]);
    });
}
