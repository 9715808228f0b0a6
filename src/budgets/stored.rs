//! How the classes keep their accounts in a store.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::accounting::{Changes, Clock, Code, Invalid, Key, Limit, Meter, Window};
use crate::ledger::{Account, Core, Error, Policy, Supply};
use crate::store::{LimitName, Store};

/// The largest limit that a store keeps. What is larger means no limit there.
const MOST: u64 = i64::MAX as u64 - 1;

/// The meters of an account.
pub(super) type AccountMeters = SmallVec<[Meter; 2]>;

/// A core of accounts in `store`, or in this process alone.
pub(super) fn core(
    store: Option<&Arc<Store>>,
    clock: Clock,
    policy: Policy,
) -> Result<Arc<Core>, Error> {
    let Some(store) = store else { return Ok(Core::new(clock, policy)) };
    if !matches!(clock, Clock::System) && !clock.is(&store.options().clock) {
        return Err(Invalid::sentence(
            "clock is another one than that of the store: give the clock to the store alone, or \
             the same one to both"
                .to_owned(),
        )
        .into());
    }
    let supply: Arc<dyn Supply> = Arc::clone(store) as _;
    Ok(Core::shared(store.options().clock.clone(), policy, supply))
}

/// The length of a window, as a part of what a limit is.
pub(super) fn span_text(period: Duration) -> String {
    format!("{}s", period.as_secs_f64())
}

/// Refuses a limit that no store keeps.
pub(super) fn check_most(
    store: Option<&Arc<Store>>,
    argument: &str,
    most: Option<u64>,
) -> Result<(), Invalid> {
    match (store, most) {
        (Some(_), Some(most)) if most > MOST => {
            Err(Invalid::amount(argument, &format!("at most {MOST} in a store, not {most}")))
        }
        _ => Ok(()),
    }
}

/// What an account is, so that the store finds it again: in other processes, and after a restart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    /// Where it is kept. `None`: in this process alone.
    pub(super) store: Option<&'a Arc<Store>>,
    /// The class.
    pub(super) class: &'a str,
    /// Whose account it is.
    pub(super) id: &'a str,
    /// What else tells it from others.
    pub(super) parts: &'a [(&'a str, &'a str)],
}

impl Stored<'_> {
    /// A meter of its limits.
    pub(super) fn meter(&self, limit: Limit, window: Window) -> Meter {
        let unit = limit.unit.name();
        let meter = Meter::new(limit, window);
        let Self { store, class, id, parts } = *self;
        match store {
            Some(store) => meter.shared(store.limit(&LimitName { class, id, unit, parts })),
            None => meter,
        }
    }

    /// The account of `meters`, which `make` makes. If this process has it already, that one.
    pub(super) fn account(
        &self,
        meters: AccountMeters,
        make: impl FnOnce(AccountMeters) -> Arc<Account>,
    ) -> Result<Arc<Account>, Error> {
        let key = meters.first().and_then(Meter::shared_limit);
        match (self.store, key) {
            (Some(store), Some(key)) => store.account(key, || Ok(make(meters))),
            _ => Ok(make(meters)),
        }
    }

    /// The same, with limits that its user has set just now. They stand for all handles of it, in
    /// all processes, until somebody sets others. What was used is read from the store, if it
    /// answers in time. A forked child makes it anew.
    pub(super) fn account_with(
        &self,
        limits: &[Limit],
        meters: AccountMeters,
        make: impl FnOnce(AccountMeters) -> Arc<Account>,
    ) -> Result<Arc<Account>, Error> {
        let kept = self.store.map(|_| with_windows(limits, &meters));
        let account = self.account(meters, make)?;
        if let Some(kept) = kept {
            Heritage::keep(self, &account, kept);
        }
        if let Some(store) = self.store {
            account.adjust(|meters, _| {
                meters.iter_mut().zip(limits).for_each(|(meter, limit)| meter.set_limit(limit));
            })?;
            announce(store, &account)?;
            settle(&account)?;
        }
        Ok(account)
    }
}

/// The shared limits of an account, and the most that all may use of each.
fn shared_limits(account: &Account) -> Result<SmallVec<[(u128, u64); 2]>, Error> {
    account.read(|meters, _| {
        let one = |meter: &Meter| Some((meter.shared_limit()?, meter.most_of_all()));
        meters.iter().filter_map(one).collect()
    })
}

/// Waits until the store has heard what was changed of an account, or does not answer.
pub(super) fn settle(account: &Account) -> Result<(), Error> {
    let Some(supply) = account.supply()? else { return Ok(()) };
    shared_limits(account)?.into_iter().for_each(|(limit, _)| supply.booked(limit));
    Ok(())
}

/// Begins a new window of all meters of an account, in its store too.
pub(super) fn reset(account: &Account) -> Result<(), Error> {
    account.adjust(|meters, now| meters.iter_mut().for_each(|meter| meter.reset(now)))?;
    settle(account)
}

/// The limits of an account were set just now: they stand in the store from now on.
pub(super) fn announce(store: &Arc<Store>, account: &Account) -> Result<(), Error> {
    for (limit, most) in shared_limits(account)? {
        store.changed(limit, Changes { most: Some(most), ..Changes::default() });
    }
    Ok(())
}

/// What made an account that has no rules.
struct Heritage {
    store: Arc<Store>,
    class: String,
    id: String,
    parts: Vec<(String, String)>,
    limits: Vec<(Limit, Window)>,
    policy: Policy,
    key: Key,
    code: Code,
}

impl Heritage {
    /// Gives `account` an heir in each child, if it has a store.
    fn keep(of: &Stored<'_>, account: &Account, limits: Vec<(Limit, Window)>) {
        let Some(store) = of.store else { return };
        let parts = of.parts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let heritage = Self {
            store: Arc::clone(store),
            class: of.class.to_owned(),
            id: of.id.to_owned(),
            parts: parts.collect(),
            limits,
            policy: *account.core().policy(),
            key: account.key().clone(),
            code: account.code(),
        };
        heritage.given_to(account);
    }

    fn given_to(self, account: &Account) {
        let heritage = Arc::new(self);
        account.made_anew_by(move || heritage.make());
    }

    /// The account of this process. What its limits are now, the store says.
    fn make(&self) -> Result<Arc<Account>, Error> {
        let store = self.store.present()?;
        let parts: Vec<(&str, &str)> =
            self.parts.iter().map(|(name, of)| (&**name, &**of)).collect();
        let (class, id) = (&*self.class, &*self.id);
        let stored = Stored { store: Some(&store), class, id, parts: &parts };
        let core = core(Some(&store), Clock::System, self.policy)?;
        let meter = |(limit, window): &(Limit, Window)| stored.meter(limit.clone(), window.clone());
        let meters = self.limits.iter().map(meter).collect();
        let account = stored
            .account(meters, |meters| Account::new(&core, self.key.clone(), self.code, meters))?;
        Self::keep(&stored, &account, self.limits.clone());
        Ok(account)
    }
}

/// Limits, each with the window of its meter.
fn with_windows(limits: &[Limit], meters: &[Meter]) -> Vec<(Limit, Window)> {
    let windows = meters.iter().map(|meter| meter.window().clone());
    limits.iter().cloned().zip(windows).collect()
}
