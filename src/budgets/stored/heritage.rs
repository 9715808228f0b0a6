//! How a forked child makes an account of a store anew.

use std::sync::Arc;

use super::{Stored, core};
use crate::accounting::{Clock, Code, Key, Limit, Meter, Window};
use crate::ledger::{Account, Error, Policy};
use crate::store::Store;

/// What made an account that has no rules.
pub(super) struct Heritage {
    store: Arc<Store>,
    class: String,
    id: String,
    more: Vec<(String, String)>,
    limits: Vec<(Limit, Window)>,
    policy: Policy,
    key: Key,
    code: Code,
}

impl Heritage {
    /// Gives `account` an heir in each child, if it has a store.
    pub(super) fn keep(of: &Stored<'_>, account: &Account, limits: Vec<(Limit, Window)>) {
        let Some(store) = of.store else { return };
        let more = of.more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let heritage = Self {
            store: Arc::clone(store),
            class: of.class.to_owned(),
            id: of.id.to_owned(),
            more: more.collect(),
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
        let more: Vec<(&str, &str)> = self.more.iter().map(|(name, of)| (&**name, &**of)).collect();
        let (class, id) = (&*self.class, &*self.id);
        let stored = Stored { store: Some(&store), class, id, more: &more };
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
pub(super) fn with_windows(limits: &[Limit], meters: &[Meter]) -> Vec<(Limit, Window)> {
    let windows = meters.iter().map(|meter| meter.window().clone());
    limits.iter().cloned().zip(windows).collect()
}
