//! What the models are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use outlay::{
    Account, Ask, Clock, Code, Core, Demand, Key, Lease, Limit, ManualClock, Meter, Policy,
};
use outlay::{Request, Unit, Unsettled, Usage, Window};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TTL: Duration = Duration::from_secs(10);
pub(crate) const ESTIMATE: u64 = 5;
pub(crate) const ACTUAL: u64 = 3;

/// Explores `model` and proves that there was more than one interleaving.
pub(crate) fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    // No bound on preemptions: all of them are tried.
    loom::model::Builder::new().check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let seen = seen.load(Ordering::Relaxed);
    println!("{name}: {seen} interleavings");
    assert!(seen > 1, "{name}: the threads never met");
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    core: Arc<Core>,
}

impl World {
    pub(crate) fn new(unsettled: Unsettled) -> Self {
        let clock = Arc::new(ManualClock::new());
        let policy = Policy { lease_ttl: TTL, unsettled, ..Policy::default() };
        let core = Core::new(Clock::Manual(Arc::clone(&clock)), policy);
        Self { clock, core }
    }

    pub(crate) fn account(&self, max: u64) -> Arc<Account> {
        let meter = Meter::new(Limit::new(Unit::Tokens, Some(max)), Window::Lifetime);
        let key = Key::parse("id", "a").unwrap();
        Account::new(&self.core, key, Code::BudgetExceeded, [meter])
    }

    /// Two accounts, always in the order in which they are locked: each run must go the same way.
    pub(crate) fn two(&self, max: [u64; 2]) -> [Arc<Account>; 2] {
        let mut both = [self.account(u64::MAX), self.account(u64::MAX)];
        both.sort_by_key(|account| Arc::as_ptr(account).addr());
        for (account, max) in both.iter().zip(max) {
            let limit = Limit::new(Unit::Tokens, Some(max));
            account.adjust(|meters, _| meters[0].set_limit(&limit)).unwrap();
        }
        both
    }
}

pub(crate) fn ask(account: &Arc<Account>, amount: u64) -> Ask {
    Ask::new(account, [Demand::new(0, amount)].into_iter().collect())
}

pub(crate) fn reserve(accounts: &[&Arc<Account>]) -> Lease {
    let asks: Vec<Ask> = accounts.iter().map(|account| ask(account, ESTIMATE)).collect();
    outlay::reserve(&asks, &Request::from(Usage::tokens(ESTIMATE))).unwrap()
}

/// used, reserved.
pub(crate) fn sums(account: &Account) -> (u64, u64) {
    account.read(|meters, _| (meters[0].used(), meters[0].reserved())).unwrap()
}
