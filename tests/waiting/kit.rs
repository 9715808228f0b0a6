//! What the tests of waiting are made of.

use std::sync::Arc;
use std::time::Duration;

use outlay::{
    Account, Ask, Clock, Code, Core, Demand, Denied, Error, Grant, Key, Lease, Limit, Mailbox,
    ManualClock, Meter, Policy, Request, Tick, Unit, Usage, Wait, Window,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const NANO: Duration = Duration::from_nanos(1);

pub(crate) fn manual() -> (Arc<ManualClock>, Clock) {
    let clock = Arc::new(ManualClock::new());
    (Arc::clone(&clock), Clock::Manual(clock))
}

pub(crate) fn account(core: &Arc<Core>, meters: impl IntoIterator<Item = Meter>) -> Arc<Account> {
    Account::new(core, Key::parse("id", "a").unwrap(), Code::BudgetExceeded, meters)
}

/// A meter of tokens that are never given back.
pub(crate) fn lifetime(max: u64) -> Meter {
    Meter::new(Limit::new(Unit::Tokens, Some(max)), Window::Lifetime)
}

pub(crate) fn sliding(max: u64, period: Duration, now: Tick) -> Meter {
    let window = Window::sliding(period, 60, now).unwrap();
    Meter::new(Limit::new(Unit::Tokens, Some(max)), window)
}

/// A core on a clock of its own, whose leases live for an hour.
pub(crate) fn core() -> (Arc<ManualClock>, Arc<Core>) {
    let (clock, injected) = manual();
    let policy = Policy { lease_ttl: HOUR, ..Policy::default() };
    (clock, Core::new(injected, policy))
}

pub(crate) fn ask(account: &Arc<Account>, amounts: &[u64]) -> Ask {
    Ask::new(
        account,
        (0_u8..).zip(amounts).map(|(meter, amount)| Demand::new(meter, *amount)).collect(),
    )
}

pub(crate) fn tokens(amount: u64) -> Request {
    Usage::tokens(amount).into()
}

/// A mailbox that nobody reads.
pub(crate) fn mailbox() -> Arc<Mailbox> {
    Mailbox::new(|| ())
}

pub(crate) fn reserve(account: &Arc<Account>, amount: u64) -> Result<Lease, Error> {
    outlay::reserve(&[ask(account, &[amount])], &tokens(amount))
}

pub(crate) fn wait(account: &Arc<Account>, amount: u64, timeout: Option<Duration>) -> Wait {
    let asks = [ask(account, &[amount])];
    Wait::for_lease(&asks, tokens(amount), timeout, mailbox()).unwrap()
}

/// How a wait stands, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Waiting,
    Granted,
    TimedOut,
    Denied,
}

/// Takes what came of a wait; a lease that was given is dropped in the end.
pub(crate) fn outcome(wait: &Wait) -> (Outcome, Option<Grant>) {
    match wait.take() {
        None => (Outcome::Waiting, None),
        Some(Ok(grant)) => (Outcome::Granted, Some(grant)),
        Some(Err(Error::TimedOut(_))) => (Outcome::TimedOut, None),
        Some(Err(Error::Denied(_))) => (Outcome::Denied, None),
        Some(Err(other)) => panic!("{other:?}"),
    }
}

pub(crate) fn lease(wait: &Wait) -> Lease {
    match wait.take().unwrap().unwrap() {
        Grant::Lease(lease) => lease,
        Grant::Slot(_) => panic!("a slot"),
    }
}

pub(crate) fn denied<T: std::fmt::Debug>(result: Result<T, Error>) -> Box<Denied> {
    match result.unwrap_err() {
        Error::Denied(denied) => denied,
        other => panic!("{other:?}"),
    }
}

/// used, reserved.
pub(crate) fn sums(account: &Account, meter: usize) -> (u64, u64) {
    account.read(|meters, _| (meters[meter].used(), meters[meter].reserved())).unwrap()
}
