//! Every interleaving of the ledger's locks, for a few threads at a time.

use std::sync::Arc;

use loom::thread::spawn;
use outlay::{
    Abandoned, Account, Actual, Demand, Error, Lease, LeaseError, LeaseState, ManualClock,
};
use outlay::{Unsettled, Usage};

use super::world::{ACTUAL, ESTIMATE, SECOND, TTL, World, ask, explore, reserve, sums};

#[test]
fn the_last_unit_goes_to_exactly_one_of_two_threads() {
    explore("last unit", || {
        let account = World::new(Unsettled::Charge).account(1);
        let other = Arc::clone(&account);
        let thread = spawn(move || other.charge(&[Demand::new(0, 1)]).is_ok());
        let here = account.charge(&[Demand::new(0, 1)]).is_ok();
        assert!(here ^ thread.join().unwrap());
        assert_eq!(sums(&account), (1, 0));
    });
}

#[test]
fn requests_over_two_accounts_in_opposite_order_are_all_or_nothing() {
    explore("opposite order", || {
        let [a, b] = World::new(Unsettled::Charge).two([1, 1]);
        let asks = [ask(&b, 1), ask(&a, 1)];
        let thread = spawn(move || outlay::charge(&asks).is_ok());
        let here = outlay::charge(&[ask(&a, 1), ask(&b, 1)]).is_ok();
        assert!(here ^ thread.join().unwrap());
        assert_eq!((sums(&a), sums(&b)), ((1, 0), (1, 0)));
    });
}

#[test]
fn a_reader_never_sees_half_of_a_request() {
    explore("reader", || {
        let [a, b] = World::new(Unsettled::Charge).two([1, 1]);
        let asks = [ask(&b, 1), ask(&a, 1)];
        let writer = spawn(move || outlay::charge(&asks).unwrap());
        let (first, second) = (Arc::clone(&a), Arc::clone(&b));
        let reader = spawn(move || (sums(&first).0, sums(&second).0));
        // What is charged stays charged: who saw it in the one must see it in the other.
        let (there, here) = (sums(&b).0, sums(&a).0);
        assert!(there <= here, "half of a request");
        let (here, there) = reader.join().unwrap();
        assert!(here <= there, "half of a request");
        writer.join().unwrap();
    });
}

#[test]
fn a_refused_request_never_counts_for_an_instant() {
    explore("refused", || {
        let [a, b] = World::new(Unsettled::Charge).two([1, 0]);
        let asks = [ask(&a, 1), ask(&b, 1)];
        let thread = spawn(move || outlay::charge(&asks).is_err());
        assert_eq!(sums(&a), (0, 0));
        assert!(
            a.charge(&[Demand::new(0, 1)]).is_ok(),
            "made to fail by a request that was refused"
        );
        assert!(thread.join().unwrap());
    });
}

/// One way to end a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    Release,
    Abandon,
    Drop,
    /// Time passes, and somebody looks at the account.
    RunOut,
}

impl End {
    fn on(self, lease: &Lease, clock: &ManualClock, account: &Account) -> Result<(), Error> {
        match self {
            Self::Commit => lease.commit(Actual::Tokens(ACTUAL)),
            Self::Release => lease.release(),
            Self::Abandon => {
                lease.abandon(Abandoned::Unsettled);
                Ok(())
            }
            Self::Drop => Ok(()),
            Self::RunOut => {
                clock.advance(TTL + SECOND);
                sums(account);
                Ok(())
            }
        }
    }
}

/// What must be used in the end, by what the two ends answered.
fn check_ends(ends: [(End, Result<(), Error>); 2], state: LeaseState, used: u64) {
    let won = |end: End| ends.iter().any(|(kind, done)| *kind == end && done.is_ok());
    for (end, done) in &ends {
        let expected = match done {
            Ok(()) => true,
            Err(Error::Lease(LeaseError::Finalized)) => *end != End::Drop,
            Err(Error::Lease(LeaseError::Expired)) => *end == End::Release,
            Err(_) => false,
        };
        assert!(expected, "{end:?} answered {done:?}");
    }
    assert!(!(won(End::Commit) && won(End::Release)), "two ends");
    let expected = if won(End::Commit) {
        (LeaseState::Committed, ACTUAL)
    } else if won(End::Release) {
        (LeaseState::Released, 0)
    } else if state == LeaseState::Committed {
        // Abandoned: charged at the estimate for good.
        assert!(won(End::Abandon));
        (LeaseState::Committed, ESTIMATE)
    } else {
        (LeaseState::Expired, ESTIMATE)
    };
    assert_eq!((state, used), expected);
}

const PAIRS: [[End; 2]; 9] = [
    [End::Commit, End::Release],
    [End::Commit, End::RunOut],
    [End::Commit, End::Drop],
    [End::Commit, End::Abandon],
    [End::Commit, End::Commit],
    [End::Release, End::RunOut],
    [End::Release, End::Drop],
    [End::Abandon, End::RunOut],
    [End::Release, End::Abandon],
];

/// Two threads end a lease over `count` accounts, through one handle or one each.
fn two_ends(count: usize, ends: [End; 2], shared: bool) {
    let world = World::new(Unsettled::Charge);
    let [a, b] = world.two([100, 100]);
    let both = [&a, &b];
    let lease = Arc::new(reserve(&both[..count]));
    let other = if shared { Arc::clone(&lease) } else { Arc::new(Lease::clone(&lease)) };
    let (clock, account) = (Arc::clone(&world.clock), Arc::clone(both[count - 1]));
    let thread = spawn(move || {
        let done = ends[1].on(&other, &clock, &account);
        drop(other);
        done
    });
    let here = ends[0].on(&lease, &world.clock, &a);
    let there = thread.join().unwrap();
    let state = lease.state().unwrap();
    // A drop that was not the last ends nothing yet.
    let state = if state == LeaseState::Open {
        drop(lease);
        LeaseState::Expired
    } else {
        drop(lease);
        state
    };
    let (used, reserved) = sums(&a);
    assert_eq!(reserved, 0, "{ends:?}");
    for account in &both[..count] {
        assert_eq!(sums(account), (used, 0), "{ends:?}");
        assert!(account.open_leases().unwrap().is_empty());
    }
    check_ends([(ends[0], here), (ends[1], there)], state, used);
}

#[test]
fn two_handles_end_a_lease_exactly_once() {
    for ends in PAIRS {
        explore(&format!("two handles, {ends:?}"), move || two_ends(1, ends, false));
    }
}

#[test]
fn one_handle_shared_by_two_threads_ends_a_lease_exactly_once() {
    // A handle that two share is dropped by who holds it last: no race to drop it.
    for ends in PAIRS.into_iter().filter(|ends| !ends.contains(&End::Drop)) {
        explore(&format!("one handle, {ends:?}"), move || two_ends(1, ends, true));
    }
}

#[test]
fn a_lease_over_two_accounts_ends_exactly_once_in_both() {
    for ends in PAIRS {
        explore(&format!("two accounts, {ends:?}"), move || two_ends(2, ends, false));
        if !ends.contains(&End::Drop) {
            let name = format!("two accounts, one handle, {ends:?}");
            explore(&name, move || two_ends(2, ends, true));
        }
    }
}

#[test]
fn three_ways_to_end_a_lease_end_it_once() {
    explore("commit, release, run out", || {
        let world = World::new(Unsettled::Charge);
        let account = world.account(100);
        let lease = reserve(&[&account]);
        let (second, third) = (lease.clone(), Arc::clone(&account));
        let release = spawn(move || second.release());
        let clock = Arc::clone(&world.clock);
        let run_out = spawn(move || {
            clock.advance(TTL);
            sums(&third);
        });
        let committed = lease.commit(Actual::Tokens(ACTUAL));
        let released = release.join().unwrap();
        run_out.join().unwrap();
        let state = lease.state().unwrap();
        drop(lease);
        let (used, reserved) = sums(&account);
        assert_eq!(reserved, 0);
        check_ends([(End::Commit, committed), (End::Release, released)], state, used);
    });
}

#[test]
fn the_last_of_two_handles_ends_the_lease_once() {
    explore("two drops", || {
        let account = World::new(Unsettled::Charge).account(100);
        let lease = reserve(&[&account]);
        let other = lease.clone();
        let thread = spawn(move || drop(other));
        drop(lease);
        thread.join().unwrap();
        assert_eq!(sums(&account), (ESTIMATE, 0));
        assert_eq!(account.committed(), Ok(Usage::tokens(ESTIMATE)));
    });
}

#[test]
fn a_handle_from_the_list_of_open_leases_works_or_is_not_there() {
    explore("open leases and drop", || {
        let world = World::new(Unsettled::Charge);
        let [a, b] = world.two([100, 100]);
        let lease = reserve(&[&a, &b]);
        let list = Arc::clone(&b);
        let thread = spawn(move || {
            let open = list.open_leases().unwrap();
            open.first().map(|lease| lease.commit(Actual::Tokens(ACTUAL)))
        });
        drop(lease);
        let expected = match thread.join().unwrap() {
            Some(Ok(())) => ACTUAL,
            None => ESTIMATE,
            Some(error) => panic!("{error:?}"),
        };
        assert_eq!((sums(&a), sums(&b)), ((expected, 0), (expected, 0)));
    });
}

#[test]
fn a_handle_that_is_copied_while_the_lease_ends_knows_the_end() {
    for end in [End::Commit, End::Release] {
        explore(&format!("clone and {end:?}"), move || {
            let world = World::new(Unsettled::Charge);
            let account = world.account(100);
            let lease = Arc::new(reserve(&[&account]));
            let other = Arc::clone(&lease);
            let thread = spawn(move || Lease::clone(&other));
            end.on(&lease, &world.clock, &account).unwrap();
            // A new lease may take the place of the old one: the copy has no part in it.
            let next = reserve(&[&account]);
            let copy = thread.join().unwrap();
            assert_eq!((copy.id(), copy.state()), (lease.id(), lease.state()));
            drop(lease);
            let before = sums(&account);
            drop(copy);
            assert_eq!(sums(&account), before);
            assert_eq!(next.state(), Ok(LeaseState::Open));
            next.release().unwrap();
        });
    }
}

#[test]
fn a_charge_counts_before_a_reset_or_after_it() {
    explore("reset", || {
        let account = World::new(Unsettled::Charge).account(1);
        account.charge(&[Demand::new(0, 1)]).unwrap();
        let other = Arc::clone(&account);
        let reset = spawn(move || other.adjust(|meters, now| meters[0].reset(now)).unwrap());
        let charged = account.charge(&[Demand::new(0, 1)]).is_ok();
        reset.join().unwrap();
        assert_eq!(sums(&account), (charged.into(), 0));
    });
}

#[test]
fn a_lease_that_a_reset_overtakes_settles_in_the_old_window() {
    explore("reset and commit", || {
        let account = World::new(Unsettled::Charge).account(100);
        let lease = reserve(&[&account]);
        let other = Arc::clone(&account);
        let reset = spawn(move || other.adjust(|meters, now| meters[0].reset(now)).unwrap());
        lease.commit(Actual::Tokens(ESTIMATE + 2)).unwrap();
        reset.join().unwrap();
        // Reset first: only what is above the estimate is new. Commit first: all of it is old.
        let (used, reserved) = sums(&account);
        assert!((used == 2 || used == 0) && reserved == 0);
    });
}

#[test]
fn a_sweep_on_another_account_and_a_commit_end_a_lease_once() {
    explore("sweep", || {
        let world = World::new(Unsettled::Charge);
        let [a, b] = world.two([100, 100]);
        let lease = reserve(&[&a]);
        world.clock.advance(TTL);
        let thread = spawn(move || reserve(&[&b]).release());
        lease.commit(Actual::Tokens(ACTUAL)).unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(lease.state(), Ok(LeaseState::Committed));
        assert_eq!(sums(&a), (ACTUAL, 0));
        assert_eq!(a.committed(), Ok(Usage::tokens(ACTUAL)));
    });
}

#[test]
fn nothing_is_admitted_after_an_account_was_closed() {
    explore("close", || {
        let account = World::new(Unsettled::Charge).account(100);
        let other = Arc::clone(&account);
        let thread = spawn(move || {
            assert_eq!(other.close(), Ok(true));
            sums(&other).0
        });
        let charged = account.charge(&[Demand::new(0, 1)]).is_ok();
        let at_close = thread.join().unwrap();
        assert_eq!(sums(&account).0, u64::from(charged));
        assert!(at_close == u64::from(charged), "charged after the close");
    });
}
