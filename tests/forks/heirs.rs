//! Accounts that a forked child makes anew. Alone in its file: the number of forks is one for the
//! whole process.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use outlay::{
    Account, Actual, Ask, Clock, Code, Core, Demand, Error, Event, EventKind, Grant, Key, Lease,
    Limit, Mailbox, ManualClock, Meter, Policy, Unit, Usage, Wait, Window, after_fork_in_child,
    after_fork_in_parent, before_fork, charge, check, reserve, reserve_blocking,
};

static MADE: AtomicUsize = AtomicUsize::new(0);

/// An account of 10 tokens that a child makes anew.
fn account(clock: Clock) -> Arc<Account> {
    MADE.fetch_add(1, Ordering::SeqCst);
    let core = Core::new(clock.clone(), Policy::default());
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(10)).warn_at(8), Window::Lifetime);
    let account =
        Account::new(&core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, [meter]);
    account.made_anew_by(move || Ok(self::account(clock.clone())));
    account
}

fn lonely() -> Arc<Account> {
    let core = Core::new(Clock::System, Policy::default());
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(10)), Window::Lifetime);
    Account::new(&core, Key::parse("id", "b").unwrap(), Code::BudgetExceeded, [meter])
}

fn demand(amount: u64) -> [Demand; 1] {
    [Demand::new(0, amount)]
}

fn ask(account: &Arc<Account>, amount: u64) -> Ask {
    Ask::new(account, demand(amount).into_iter().collect())
}

fn used(account: &Account) -> u64 {
    account.read(|meters, _| meters[0].used()).unwrap()
}

fn hold(account: &Arc<Account>, amount: u64) -> Result<Lease, Error> {
    reserve(&[ask(account, amount)], &Usage::tokens(amount).into_request())
}

trait IntoRequest {
    fn into_request(self) -> outlay::Request;
}

impl IntoRequest for Usage {
    fn into_request(self) -> outlay::Request {
        self.into()
    }
}

fn fork() {
    before_fork();
    after_fork_in_parent();
    before_fork();
    after_fork_in_child();
}

/// `before` was made in the parent. Returns a lease of the child, which has ended.
fn all_ways_lead_to_the_heir(parents: &Arc<Account>, before: Ask, told: &AtomicUsize) -> Lease {
    charge(&[before, ask(parents, 1)]).unwrap();
    assert_eq!(used(parents), 4, "an account that is listed twice is charged once");
    let childs = hold(parents, 2).unwrap();
    assert!(!childs.is_of(parents));
    check(&[ask(parents, 4)]).unwrap();
    assert!(matches!(check(&[ask(parents, 5)]), Err(Error::Denied(_))));
    childs.commit(Actual::Tokens(3)).unwrap();
    assert_eq!(parents.committed().unwrap(), Usage::tokens(3));
    assert_eq!(told.load(Ordering::SeqCst), 0);
    parents.record(&demand(1)).unwrap();
    assert_eq!((used(parents), told.load(Ordering::SeqCst)), (8, 1), "it has the listeners");
    let one = || Usage::tokens(1).into_request();
    let waited = reserve_blocking(&[ask(parents, 1)], one(), Some(Duration::ZERO)).unwrap();
    assert_eq!(parents.open_leases().unwrap().len(), 1);
    waited.release().unwrap();
    let queued = Wait::for_lease(&[ask(parents, 1)], one(), None, Mailbox::new(|| ())).unwrap();
    let Grant::Lease(granted) = queued.take().unwrap().unwrap() else { unreachable!() };
    granted.release().unwrap();
    childs
}

#[test]
fn a_child_makes_new_accounts_and_never_locks_one_of_its_parent() {
    let clock = Clock::Manual(Arc::new(ManualClock::new()));
    let (parents, other) = (account(clock), lonely());
    let told = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&told);
    parents.core().subscribe_to(EventKind::Warned, move |_: &Event| {
        heard.fetch_add(1, Ordering::SeqCst);
    });
    parents.charge(&demand(4)).unwrap();
    let lease = hold(&parents, 3).unwrap();
    let request = || Usage::tokens(5).into_request();
    let wait = Wait::for_lease(&[ask(&parents, 5)], request(), None, Mailbox::new(|| ())).unwrap();
    let before = ask(&parents, 1);

    // A thread of the parent holds the lock of the account, and will never let it go.
    let (holds, goes) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (held, gone, stuck) = (Arc::clone(&holds), Arc::clone(&goes), Arc::clone(&parents));
    let holder = thread::spawn(move || {
        stuck.read(|_, _| {
            held.wait();
            gone.wait();
        })
    });
    holds.wait();
    fork();

    // Two threads ask at once: there is one heir.
    let both = Arc::new(Barrier::new(2));
    let charges = [1, 2].map(|amount| {
        let (both, parents) = (Arc::clone(&both), Arc::clone(&parents));
        thread::spawn(move || {
            both.wait();
            parents.charge(&demand(amount))
        })
    });
    for charged in charges {
        charged.join().unwrap().unwrap();
    }
    assert_eq!(MADE.load(Ordering::SeqCst), 2, "one of the parent, one of the child");
    assert_eq!(used(&parents), 3);

    let childs = all_ways_lead_to_the_heir(&parents, before, &told);

    // One that has no recipe is refused, also beside one that has.
    assert_eq!(other.charge(&demand(1)), Err(Error::Forked));
    assert_eq!(charge(&[ask(&parents, 1), ask(&other, 1)]), Err(Error::Forked));
    assert_eq!(used(&parents), 8, "nothing was booked");

    // What the parent holds stays the parent's.
    assert_eq!(lease.commit(Actual::Tokens(1)), Err(Error::Forked));
    assert_eq!(lease.state(), Err(Error::Forked));
    drop(lease);
    wait.leave();
    drop(wait);

    // A grandchild has its own, also of what the child did not use.
    fork();
    assert_eq!(used(&parents), 0);
    assert_eq!(childs.state(), Err(Error::Forked));
    parents.charge(&demand(10)).unwrap();
    assert_eq!(MADE.load(Ordering::SeqCst), 3);
    assert!(told.load(Ordering::SeqCst) >= 2, "the listeners went on to it");
    goes.wait();
    holder.join().unwrap().unwrap();
}
