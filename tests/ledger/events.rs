//! Events: each exactly when it is due, none under a lock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Abandoned, Account, Actual, Ask, Clock, Code, Core, Demand, Event, EventKind, Key, Limit,
    ManualClock, Meter, Policy, PoolOptions, Request, SharedPool, Unit, Usage, Window,
};

const HOUR: Duration = Duration::from_secs(3600);
const TTL: Duration = Duration::from_secs(900);

struct World {
    clock: Arc<ManualClock>,
    core: Arc<Core>,
    told: Arc<Mutex<Vec<Event>>>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let core = Core::new(Clock::Manual(Arc::clone(&clock)), Policy::default());
        let told: Arc<Mutex<Vec<Event>>> = Arc::default();
        let listener = Arc::clone(&told);
        core.subscribe(move |event| listener.lock().unwrap().push(event.clone()));
        Self { clock, core, told }
    }

    fn account(&self, id: &str, limit: Limit) -> Arc<Account> {
        let window = Window::fixed(HOUR, self.core.clock().tick()).unwrap();
        let key = Key::parse("id", id).unwrap();
        Account::new(&self.core, key, Code::BudgetExceeded, [Meter::new(limit, window)])
    }

    /// What was told since the last time: kind, account, amount.
    fn told(&self) -> Vec<(EventKind, String, u64)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let short = |event: Event| (event.kind, event.key.to_string(), event.amounts[0].1);
        told.into_iter().map(short).collect()
    }
}

fn tokens(max: u64) -> Limit {
    Limit::new(Unit::Tokens, Some(max))
}

fn ask(account: &Arc<Account>, amount: u64) -> Ask {
    Ask::new(account, [Demand::new(0, amount)].into_iter().collect())
}

fn reserve(accounts: &[&Arc<Account>], amount: u64) -> outlay::Lease {
    let asks: Vec<Ask> = accounts.iter().map(|account| ask(account, amount)).collect();
    outlay::reserve(&asks, &Request::from(Usage::tokens(amount))).unwrap()
}

fn one(kind: EventKind, amount: u64) -> Vec<(EventKind, String, u64)> {
    vec![(kind, "a".to_owned(), amount)]
}

#[test]
fn each_event_is_told_once_and_when_it_happens() {
    let world = World::new();
    let a = world.account("a", tokens(100));
    a.charge(&[Demand::new(0, 10)]).unwrap();
    assert_eq!(world.told(), one(EventKind::Charged, 10));
    assert!(a.charge(&[Demand::new(0, 91)]).is_err());
    assert_eq!(world.told(), one(EventKind::Denied, 91));
    a.check(&[Demand::new(0, 91)]).unwrap_err();
    a.check(&[Demand::new(0, 1)]).unwrap();
    assert_eq!(world.told(), [], "a check is a question");
    let lease = reserve(&[&a], 20);
    assert_eq!(world.told(), one(EventKind::Reserved, 20));
    lease.extend(TTL).unwrap();
    assert_eq!(world.told(), []);
    lease.commit(Actual::Tokens(30)).unwrap();
    assert_eq!(world.told(), one(EventKind::Committed, 30));
    lease.commit(Actual::Tokens(30)).unwrap();
    lease.release().unwrap_err();
    lease.abandon(Abandoned::Cancelled);
    drop(lease);
    assert_eq!(world.told(), [], "it has ended");
    reserve(&[&a], 20).release().unwrap();
    assert_eq!(world.told()[1..], one(EventKind::Released, 20));
    let copies = [reserve(&[&a], 20); 1].map(|lease| [lease.clone(), lease]);
    world.told();
    drop(copies);
    assert_eq!(world.told(), one(EventKind::Expired, 20), "with the last handle, once");
}

#[test]
fn an_expiry_is_told_once_at_its_deadline_and_a_late_commit_after_it() {
    let world = World::new();
    let (a, b) = (world.account("a", tokens(100)), world.account("b", tokens(100)));
    let lease = reserve(&[&a, &b], 20);
    let deadline = world.core.clock().tick().plus(TTL);
    world.told();
    world.clock.advance(TTL + HOUR);
    lease.state().unwrap();
    lease.state().unwrap();
    let events = world.told.lock().unwrap().clone();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!((event.kind, event.tick), (EventKind::Expired, deadline));
        assert_eq!(event.lease, Some(lease.id()));
    }
    world.told();
    lease.commit(Actual::Tokens(25)).unwrap();
    drop(lease);
    let kinds: Vec<EventKind> = world.told().into_iter().map(|told| told.0).collect();
    assert_eq!(kinds, [EventKind::Committed; 2]);
}

#[test]
fn a_warning_is_told_once_in_each_window_by_whatever_reaches_the_mark() {
    let world = World::new();
    let a = world.account("a", tokens(100).warn_at(80));
    let warned = |world: &World| {
        let told = world.told();
        told.into_iter()
            .filter(|told| told.0 == EventKind::Warned)
            .map(|told| told.2)
            .collect::<Vec<u64>>()
    };
    a.charge(&[Demand::new(0, 79)]).unwrap();
    let lease = reserve(&[&a], 21);
    assert_eq!(warned(&world), Vec::<u64>::new(), "what is reserved does not count");
    lease.commit(Actual::Tokens(1)).unwrap();
    assert_eq!(warned(&world), [80]);
    a.charge(&[Demand::new(0, 20)]).unwrap();
    assert_eq!(warned(&world), Vec::<u64>::new());
    world.clock.advance(HOUR);
    reserve(&[&a], 90);
    assert_eq!(warned(&world), [90], "a lease that was dropped is charged, in a new window");
}

#[test]
fn a_refused_request_over_two_accounts_is_told_of_the_one_that_refuses() {
    let world = World::new();
    let (a, b) = (world.account("a", tokens(0)), world.account("b", tokens(100)));
    outlay::charge(&[ask(&b, 5), ask(&a, 5)]).unwrap_err();
    assert_eq!(world.told(), one(EventKind::Denied, 5));
}

#[test]
fn a_sweep_ends_what_is_due_on_accounts_that_nobody_touches() {
    let world = World::new();
    let accounts: Vec<_> = (0..9).map(|_| world.account("a", tokens(100))).collect();
    let leases: Vec<_> = accounts.iter().map(|account| reserve(&[account], 20)).collect();
    world.clock.advance(TTL);
    let other = world.account("b", tokens(100));
    world.told();
    let mut expired = Vec::new();
    for _ in 0..3 {
        reserve(&[&other], 1).release().unwrap();
        let told = world.told();
        expired.push(told.iter().filter(|told| told.0 == EventKind::Expired).count());
    }
    assert_eq!(expired, [4, 4, 1], "a few at a time");
    drop(leases);
}

#[test]
fn a_listener_may_use_the_account_that_tells_it() {
    let clock = Arc::new(ManualClock::new());
    let options = PoolOptions {
        capacity_tokens: Some(100),
        clock: Clock::Manual(Arc::clone(&clock)),
        ..PoolOptions::default()
    };
    let pool = Arc::new(SharedPool::new(options).unwrap());
    let (inside, seen) = (Arc::downgrade(&pool), Arc::new(Mutex::new(Vec::new())));
    let listener = Arc::clone(&seen);
    let held: Mutex<Vec<outlay::Lease>> = Mutex::new(Vec::new());
    pool.account().core().subscribe(move |event| {
        let Some(pool) = inside.upgrade() else { return };
        listener.lock().unwrap().push((event.kind, pool.remaining().unwrap().tokens));
        pool.open_leases().unwrap();
        // Another listener, another lease and the drop of one, from within.
        pool.account().core().subscribe(|_| ());
        if event.kind == EventKind::Committed {
            *held.lock().unwrap() = vec![pool.reserve(Usage::tokens(1).into()).unwrap()];
        }
        if event.kind == EventKind::Released {
            let dropped = std::mem::take(&mut *held.lock().unwrap());
            drop(dropped);
        }
    });
    let lease = pool.reserve(Usage::tokens(10).into()).unwrap();
    lease.commit(Actual::Tokens(10)).unwrap();
    pool.reserve(Usage::tokens(10).into()).unwrap().release().unwrap();
    pool.reserve(Usage::tokens(10).into()).unwrap();
    clock.advance(TTL);
    pool.reserve(Usage::tokens(1_000).into()).unwrap_err();
    let kinds: Vec<EventKind> = seen.lock().unwrap().iter().map(|seen| seen.0).collect();
    for kind in [EventKind::Reserved, EventKind::Committed, EventKind::Released] {
        assert!(kinds.contains(&kind));
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Expired).count(), 2);
    assert_eq!(kinds.last(), Some(&EventKind::Denied));
}

#[test]
fn t1_the_sweep_comes_back_to_an_account_for_each_of_its_leases() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|id| world.account(id, tokens(100)));
    let lease = |seconds: u64| {
        let ttl = Some(Duration::from_secs(seconds));
        let request = Request { ttl, ..Request::from(Usage::tokens(seconds)) };
        outlay::reserve(&[ask(&a, seconds)], &request).unwrap()
    };
    let leases = [10, 20, 30, 40].map(lease);
    let _ = world.told();
    let mut expired = Vec::new();
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(10));
        reserve(&[&b], 1).release().unwrap();
        let told = world.told();
        expired.extend(told.into_iter().filter(|told| told.0 == EventKind::Expired));
        // Nobody touched `a` itself.
    }
    let each = [10, 20, 30, 40].map(|amount| (EventKind::Expired, "a".to_owned(), amount));
    assert_eq!(expired, each);
    drop(leases);
}
