//! Defects that this crate had at the edges: closed accounts, soft limits, numbers near 2^64. Each is
//! held by a test that failed before it was mended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use outlay::{
    Account, Actual, AgentTokenBudget, Ask, Clock, Code, Core, Demand, Error, EventKind, Key,
    Lease, Limit, ManualClock, Meter, Policy, Request, Terms, TokenBudgetOptions, Unit, Usage,
    Window, WorkflowQuota,
};

const HOUR: Duration = Duration::from_secs(3600);

fn account(clock: &Arc<ManualClock>, max: Option<u64>, sliding: bool) -> Arc<Account> {
    let core = Core::new(Clock::Manual(Arc::clone(clock)), Policy::default());
    let now = core.clock().tick();
    let window = match sliding {
        true => Window::sliding(HOUR, 60, now).unwrap(),
        false => Window::fixed(HOUR, now).unwrap(),
    };
    let meter = Meter::new(Limit::new(Unit::Tokens, max), window);
    Account::new(&core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, [meter])
}

fn ask(account: &Arc<Account>, demands: &[Demand]) -> Ask {
    Ask::new(account, demands.iter().copied().collect())
}

fn reserve(asks: &[Ask], amount: u64, ttl: Duration) -> Lease {
    let request = Request { ttl: Some(ttl), ..Usage::tokens(amount).into() };
    outlay::reserve(asks, &request).unwrap()
}

fn retry_after<T: std::fmt::Debug>(refused: Result<T, Error>) -> Option<Duration> {
    match refused {
        Err(Error::Denied(denied)) => denied.retry_after,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_check_of_a_soft_limit_says_when_it_would_pass() {
    let clock = Clock::Manual(Arc::default());
    let options = TokenBudgetOptions { hard_limit: false, clock, ..TokenBudgetOptions::default() };
    let budget = AgentTokenBudget::new("a", 10, HOUR, options).unwrap();
    budget.consume("query", 10).unwrap();
    assert_eq!(retry_after(budget.check("query", 1)), Some(HOUR));
}

#[test]
fn a_request_with_a_workflow_that_has_ended_never_passes() {
    let clock: Arc<ManualClock> = Arc::default();
    let quota = WorkflowQuota::new(1, 5, HOUR, Clock::Manual(Arc::clone(&clock))).unwrap();
    let token = quota.begin_workflow("w", false).unwrap();
    token.end().unwrap();
    let other = account(&clock, Some(1), false);
    assert_eq!(
        retry_after(outlay::charge(&[token.ask(1), ask(&other, &[Demand::new(0, 1)])])),
        None
    );
    other.charge(&[Demand::new(0, 1)]).unwrap();
    assert_eq!(
        retry_after(outlay::charge(&[ask(&other, &[Demand::new(0, 1)]), token.ask(1)])),
        None
    );
}

#[test]
fn the_sweep_reaches_a_lease_whose_time_was_cut() {
    let clock: Arc<ManualClock> = Arc::default();
    let core = Core::new(Clock::Manual(Arc::clone(&clock)), Policy::default());
    let [a, b] = [(); 2].map(|()| {
        let meter = Meter::new(Limit::new(Unit::Tokens, Some(100)), Window::Lifetime);
        Account::new(&core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, [meter])
    });
    let told: Arc<Mutex<Vec<EventKind>>> = Arc::default();
    let listener = Arc::clone(&told);
    core.subscribe(move |event| listener.lock().unwrap().push(event.kind));
    let lease = reserve(&[ask(&a, &[Demand::new(0, 1)])], 1, HOUR);
    lease.extend(Duration::from_secs(10)).unwrap();
    clock.advance(Duration::from_secs(20));
    reserve(&[ask(&b, &[Demand::new(0, 1)])], 1, HOUR).release().unwrap();
    let expired = told.lock().unwrap().contains(&EventKind::Expired);
    assert!(expired);
    drop(lease);
}

#[test]
fn a_lease_that_names_a_meter_twice_books_its_usage_once() {
    let account = account(&Arc::default(), Some(100), false);
    let lease = reserve(&[ask(&account, &[Demand::new(0, 20), Demand::new(0, 20)])], 40, HOUR);
    lease.commit(Actual::Tokens(30)).unwrap();
    assert_eq!(account.read(|meters, _| meters[0].used()), Ok(30));
}

#[test]
fn an_expiry_that_saturated_takes_back_no_more_than_it_booked() {
    let account = account(&Arc::default(), None, true);
    account.charge(&[Demand::new(0, 1)]).unwrap();
    let lease = reserve(&[ask(&account, &[Demand::new(0, u64::MAX)])], u64::MAX, Duration::ZERO);
    lease.commit(Actual::Tokens(0)).unwrap();
    assert_eq!(account.read(|meters, _| meters[0].used()), Ok(1));
}

#[test]
fn an_unlimited_meter_that_is_full_of_numbers_lets_gated_requests_pass() {
    let account = account(&Arc::default(), None, false);
    account.record(&[Demand::new(0, u64::MAX)]).unwrap();
    let gated = Ask { terms: Terms::Gated, ..ask(&account, &[Demand::new(0, 1)]) };
    reserve(&[gated], 1, HOUR).release().unwrap();
}

#[test]
fn a_closed_door_alone_is_no_reason_to_wait_for_the_window() {
    let clock: Arc<ManualClock> = Arc::default();
    let account = account(&clock, Some(10), false);
    let minute = Duration::from_secs(60);
    account.adjust(|meters, now| meters[0].provider_mut().close(now.tick.plus(minute))).unwrap();
    assert_eq!(retry_after(account.charge(&[Demand::new(0, 10)])), Some(minute));
    clock.advance(minute);
    account.charge(&[Demand::new(0, 10)]).unwrap();
}
