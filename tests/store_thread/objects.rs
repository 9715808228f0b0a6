//! Small objects over a store: an account with one limit.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::{LimitName, Store, StoreOptions};
use outlay::{
    Account, Clock, Code, Core, Demand, Error, Key, Limit, Meter, MeterIndex, Policy, Tick, Unit,
    Window,
};

/// A folder with one file.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn file(&self) -> std::path::PathBuf {
        self.0.path().join("b.db")
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite:///{}", self.file().display())
    }

    pub(super) fn open(&self) -> Arc<Store> {
        Store::open(&self.url(), StoreOptions::default()).unwrap()
    }
}

pub(super) fn name(id: &str) -> LimitName<'_> {
    LimitName { class: "Test", id, unit: "tokens", parts: &[] }
}

/// The account `id` with one limit.
pub(super) fn account(store: &Arc<Store>, id: &str, most: u64, window: Window) -> Arc<Account> {
    let core =
        Core::shared(store.options().clock.clone(), Policy::default(), Arc::clone(store) as _);
    let limit = store.limit(&name(id));
    let made = store.account(limit, || {
        let meter = Meter::new(Limit::new(Unit::Tokens, Some(most)), window).shared(limit);
        Ok(Account::new(&core, Key::parse("id", id).unwrap(), Code::BudgetExceeded, [meter]))
    });
    made.unwrap()
}

pub(super) fn tokens(amount: u64) -> [Demand; 1] {
    [Demand { meter: MeterIndex::from(0), amount }]
}

pub(super) fn charge(account: &Arc<Account>, amount: u64) -> Result<(), Error> {
    account.charge(&tokens(amount))
}

pub(super) fn used(account: &Account) -> u64 {
    account.read(|meters, _| meters[0].used()).unwrap()
}

/// Waits for a condition, for some seconds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = now().plus(Duration::from_secs(10));
    while !holds() {
        assert!(now() < end, "{what}");
        std::thread::yield_now();
    }
}

pub(super) fn now() -> Tick {
    Clock::System.precise_tick()
}
