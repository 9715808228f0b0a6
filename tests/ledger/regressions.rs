//! Defects that this crate had, each held by a test that failed before it was mended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Abandoned, Account, Actual, Ask, BudgetLimit, BudgetManager, Calendar, CalendarUnit, Clock,
    Code, Core, Demand, Error, Event, EventKind, Key, Lease, Limit, ManualClock, Meter, Moment,
    OnError, Policy, PoolOptions, Request, SharedPool, StoreError, Tick, Unit, Unsettled, Usage,
    Window,
};

const HOUR: Duration = Duration::from_secs(3600);

fn core(clock: &Arc<ManualClock>, policy: Policy) -> Arc<Core> {
    Core::new(Clock::Manual(Arc::clone(clock)), policy)
}

fn account<const N: usize>(core: &Arc<Core>, meters: [(Unit, u64, Window); N]) -> Arc<Account> {
    let meters = meters.map(|(unit, max, w)| Meter::new(Limit::new(unit, Some(max)), w));
    Account::new(core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, meters)
}

fn plain(policy: Policy) -> Arc<Account> {
    account(&core(&Arc::default(), policy), [(Unit::Tokens, 100, Window::Lifetime)])
}

fn ask(account: &Arc<Account>, demands: &[Demand]) -> Ask {
    Ask::new(account, demands.iter().copied().collect())
}

fn reserve(accounts: &[&Arc<Account>], amount: u64, ttl: Option<Duration>) -> Lease {
    let asks: Vec<Ask> =
        accounts.iter().map(|account| ask(account, &[Demand::new(0, amount)])).collect();
    let request = Request { ttl, ..Usage::tokens(amount).into() };
    outlay::reserve(&asks, &request).unwrap()
}

fn fixed(core: &Arc<Core>, period: Duration) -> Window {
    Window::fixed(period, core.clock().tick()).unwrap()
}

fn retry_after<T: std::fmt::Debug>(refused: Result<T, Error>) -> Option<Duration> {
    match refused {
        Err(Error::Denied(denied)) => denied.retry_after,
        other => panic!("{other:?}"),
    }
}

fn told(core: &Core) -> Arc<Mutex<Vec<Event>>> {
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let listener = Arc::clone(&told);
    core.subscribe(move |event| listener.lock().unwrap().push(event.clone()));
    told
}

fn count(told: &Mutex<Vec<Event>>, kind: EventKind) -> usize {
    told.lock().unwrap().iter().filter(|event| event.kind == kind).count()
}

#[test]
fn a_meter_that_is_named_twice_in_one_request_is_not_overdrawn() {
    let account = plain(Policy::default());
    let _ = account.charge(&[Demand::new(0, 60), Demand::new(0, 60)]);
    assert!(account.read(|meters, _| meters[0].used()).unwrap() <= 100);
}

#[test]
fn every_calendar_window_ends() {
    let seconds = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let changes = [
        ("Australia/Lord_Howe", seconds("2026-04-04T15:00:00Z")),
        ("Pacific/Chatham", seconds("2026-04-04T14:00:00Z")),
    ];
    for (zone, change) in changes {
        for minute in -120..120 {
            let wall_ns = (change + minute * 60) * 1_000_000_000;
            let now = Moment { tick: Tick::from_nanos(0), wall_ns };
            let hour = Calendar::new(CalendarUnit::Hour, zone, now).unwrap();
            let left = hour.ends_at(now).since(now.tick);
            assert!(left <= HOUR, "{zone} {minute}: {left:?}");
        }
    }
}

#[test]
fn a_request_over_no_account_does_not_panic() {
    let lease = outlay::reserve(&[], &Request::default());
    assert!(lease.is_err() || lease.is_ok());
}

#[test]
fn a_meter_that_is_not_there_does_not_panic() {
    assert!(plain(Policy::default()).charge(&[Demand::new(7, 1)]).is_err());
}

#[test]
fn a_file_that_lost_a_limit_is_corrupt_and_not_unlimited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budgets.json");
    let manager = BudgetManager::new(Clock::Manual(Arc::default()), Policy::default());
    let limit = BudgetLimit {
        agent_id: "a".into(),
        token_budget: Some(10),
        calls_budget: Some(10),
        window: Some(HOUR),
    };
    manager.set_budget(&limit).unwrap();
    manager.persist(&path).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    for name in ["token_budget", "calls_budget", "window_ns"] {
        let lines = good.lines().filter(|line| !line.contains(name));
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let Err(Error::Store(fault)) = manager.restore(&path) else {
            panic!("read without {name}: {:?}", manager.full_info("a"));
        };
        assert!(matches!(*fault, StoreError::Corrupt(_)));
    }
}

#[test]
fn retry_after_is_not_before_all_meters_let_the_request_pass() {
    let clock = Arc::default();
    let core = core(&clock, Policy::default());
    let minute = fixed(&core, Duration::from_secs(60));
    let hour = fixed(&core, HOUR);
    let account = account(&core, [(Unit::Tokens, 1, minute), (Unit::Calls, 1, hour)]);
    account.charge(&[Demand::new(0, 1), Demand::new(1, 1)]).unwrap();
    let wait = retry_after(account.charge(&[Demand::new(0, 1), Demand::new(1, 1)]));
    assert_eq!(wait, Some(HOUR));
}

#[test]
fn retry_after_knows_that_a_slot_is_freed_when_its_lease_runs_out() {
    let core = core(&Arc::default(), Policy::default());
    let account = account(&core, [(Unit::Slots, 1, Window::Gauge)]);
    let ttl = Duration::from_secs(10);
    let lease = reserve(&[&account], 1, Some(ttl));
    assert_eq!(retry_after(account.charge(&[Demand::new(0, 1)])), Some(ttl));
    drop(lease);
}

#[test]
fn retry_after_knows_that_an_unsettled_lease_is_returned() {
    let policy = Policy { unsettled: Unsettled::Release, ..Policy::default() };
    let core = core(&Arc::default(), policy);
    let window = fixed(&core, HOUR);
    let account = account(&core, [(Unit::Tokens, 1, window)]);
    let ttl = Duration::from_secs(10);
    let lease = reserve(&[&account], 1, Some(ttl));
    assert_eq!(retry_after(account.charge(&[Demand::new(0, 1)])), Some(ttl));
    drop(lease);
}

#[test]
fn retry_after_of_a_sliding_window_counts_what_is_reserved() {
    let clock = Arc::default();
    let core = core(&clock, Policy::default());
    let window = Window::sliding(Duration::from_secs(60), 60, core.clock().tick()).unwrap();
    let account = account(&core, [(Unit::Tokens, 10, window)]);
    let lease = reserve(&[&account], 6, Some(Duration::from_secs(10)));
    let held = retry_after(account.charge(&[Demand::new(0, 6)]));
    assert_eq!(held, Some(Duration::from_secs(10)), "the earliest end of a lease");
    // It ran out without a word, and was charged.
    clock.advance(Duration::from_secs(10));
    let wait = retry_after(account.charge(&[Demand::new(0, 6)]));
    clock.advance(wait.unwrap());
    account.charge(&[Demand::new(0, 6)]).unwrap();
    drop(lease);
}

/// An account that charges on errors, and one that releases.
fn mixed() -> [Arc<Account>; 2] {
    [OnError::Charge, OnError::Release]
        .map(|on_error| plain(Policy { on_error, ..Policy::default() }))
}

#[test]
fn an_abandoned_lease_has_one_end() {
    let [charges, releases] = mixed();
    for accounts in [[&charges, &releases], [&releases, &charges]] {
        let alone = reserve(&accounts, 5, None);
        let first = reserve(&accounts, 5, None);
        let second = first.clone();
        alone.abandon(Abandoned::Error);
        first.abandon(Abandoned::Error);
        assert_eq!(alone.state(), second.state(), "with one handle and with two");
        // What says Committed takes the same commit again.
        assert_eq!(second.commit(Actual::Estimate), Ok(()));
    }
}

#[test]
fn a_lease_that_ran_out_is_over_in_all_of_its_accounts() {
    let clock = Arc::default();
    let [short, long] = [10, 100].map(|seconds| {
        let lease_ttl = Duration::from_secs(seconds);
        let core = core(&clock, Policy { lease_ttl, ..Policy::default() });
        account(&core, [(Unit::Tokens, 100, Window::Lifetime)])
    });
    let lease = reserve(&[&short, &long], 40, None);
    clock.advance(Duration::from_secs(50));
    let sums = |account: &Account| {
        account.read(|meters, _| (meters[0].used(), meters[0].reserved())).unwrap()
    };
    assert_eq!((sums(&short), sums(&long)), ((40, 0), (40, 0)));
    assert_eq!(long.reserved(), Ok(Usage::zero()));
    drop(lease);
}

#[test]
fn open_leases_come_oldest_first() {
    let core = core(&Arc::default(), Policy::default());
    let [a, b] = [(); 2].map(|()| account(&core, [(Unit::Tokens, 100, Window::Lifetime)]));
    reserve(&[&a], 1, None).release().unwrap();
    let first = reserve(&[&b], 1, None);
    let second = reserve(&[&a, &b], 1, None);
    let order: Vec<u64> = b.open_leases().unwrap().iter().map(Lease::id).collect();
    assert_eq!(order, [first.id(), second.id()]);
}

#[test]
fn a_denied_event_names_the_units_that_were_asked() {
    let options = PoolOptions {
        capacity_cost_micros_usd: Some(10),
        clock: Clock::Manual(Arc::default()),
        ..PoolOptions::default()
    };
    let pool = SharedPool::new(options).unwrap();
    let told = told(pool.account().core());
    pool.reserve(Usage::priced(5, 11).into()).unwrap_err();
    assert_eq!(told.lock().unwrap()[0].amounts[..], [(Unit::Tokens, 5), (Unit::Cost, 11)]);
}

#[test]
fn a_request_that_is_admitted_tells_of_no_refusal() {
    let manager = BudgetManager::new(Clock::Manual(Arc::default()), Policy::default());
    let (token_budget, calls_budget, window) = (Some(10), None, None);
    let limit = BudgetLimit { agent_id: "a".into(), token_budget, calls_budget, window };
    manager.set_budget(&limit).unwrap();
    let agent = manager.agent("a").unwrap();
    let told = told(agent.account().unwrap().core());
    manager.remove_budget("a").unwrap();
    manager.set_budget(&limit).unwrap();
    agent.charge(1, 1).unwrap();
    let kinds: Vec<EventKind> = told.lock().unwrap().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Charged]);
}

#[test]
fn the_sweep_reaches_a_short_lease_beside_a_long_one() {
    let clock = Arc::default();
    let core = core(&clock, Policy::default());
    let [a, b] = [(); 2].map(|()| account(&core, [(Unit::Tokens, 100, Window::Lifetime)]));
    let told = told(&core);
    let long = reserve(&[&a], 1, Some(HOUR));
    let short = reserve(&[&a], 1, Some(Duration::from_secs(10)));
    clock.advance(Duration::from_secs(20));
    (0..5).for_each(|_| reserve(&[&b], 1, None).release().unwrap());
    let expired = count(&told, EventKind::Expired);
    drop((long, short));
    assert_eq!(expired, 1);
}

#[test]
fn an_account_that_is_asked_twice_counts_what_either_asks() {
    let core = core(&Arc::default(), Policy::default());
    let meters = [(Unit::Tokens, 100, Window::Lifetime), (Unit::Calls, 5, Window::Lifetime)];
    let account = account(&core, meters);
    outlay::charge(&[
        ask(&account, &[Demand::new(1, 1)]),
        ask(&account, &[Demand::new(0, 7), Demand::new(1, 1)]),
    ])
    .unwrap();
    let used = account.read(|meters, _| (meters[0].used(), meters[1].used()));
    assert_eq!(used, Ok((7, 1)));
}

#[test]
fn a_sliding_window_warns_again_when_it_was_below_its_mark() {
    let clock = Arc::default();
    let core = core(&clock, Policy::default());
    let window = Window::sliding(Duration::from_secs(60), 60, core.clock().tick()).unwrap();
    let meter = Meter::new(Limit::new(Unit::Tokens, Some(10)).warn_at(8), window);
    let key = Key::parse("id", "a").unwrap();
    let account = Account::new(&core, key, Code::RateLimitExceeded, [meter]);
    let told = told(&core);
    for _ in 0..3 {
        account.charge(&[Demand::new(0, 9)]).unwrap();
        clock.advance(HOUR);
    }
    assert_eq!(count(&told, EventKind::Warned), 3);
}

#[test]
fn a_meter_without_a_mark_never_warns() {
    let core = core(&Arc::default(), Policy::default());
    let meter = Meter::new(Limit::new(Unit::Tokens, None).stop(1), Window::Lifetime);
    let key = Key::parse("id", "a").unwrap();
    let account = Account::new(&core, key, Code::BudgetExceeded, [meter]);
    let told = told(&core);
    account.charge(&[Demand::new(0, u64::MAX)]).unwrap();
    assert_eq!(count(&told, EventKind::Warned), 0);
}
