//! The accounts whose meters have the shares of a holder.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::view::{Meters, View, micros};
use crate::accounting::{Meter, Share, Window};
use crate::ledger::{Account, Error};
use crate::store::message::{LimitId, WindowSpan};

/// A limit that an account has brought, for [`Supply::add`](super::Supply::add).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which limit.
    pub id: LimitId,
    /// Its window.
    pub span: WindowSpan,
    /// The most that all may use, `u64::MAX` for no limit.
    pub most: u64,
}

/// The accounts of a holder, by the limits of their meters. It does not keep them alive.
#[derive(Debug, Default)]
pub struct Registry {
    accounts: BTreeMap<LimitId, Weak<Account>>,
}

impl Registry {
    /// Adds an account, and returns the limits of its shared meters. Call it again after a meter was
    /// added.
    pub fn add(&mut self, account: &Arc<Account>) -> Result<Vec<Known>, Error> {
        let known: Vec<Known> =
            account.read(|meters, _| meters.iter().filter_map(known).collect())?;
        for limit in &known {
            self.accounts.insert(limit.id, Arc::downgrade(account));
        }
        Ok(known)
    }

    /// The account whose meter has the share of a limit, while it lives.
    pub fn account(&self, limit: LimitId) -> Option<Arc<Account>> {
        self.accounts.get(&limit)?.upgrade()
    }

    /// All accounts that live, each once for each limit.
    pub fn accounts(&self) -> impl Iterator<Item = Arc<Account>> {
        self.accounts.values().filter_map(Weak::upgrade)
    }

    /// Forgets accounts that nobody has any more, and returns their limits.
    pub fn forget_dropped(&mut self) -> Vec<LimitId> {
        let dropped = self.accounts.iter().filter(|(_, account)| account.strong_count() == 0);
        let dropped: Vec<LimitId> = dropped.map(|(limit, _)| *limit).collect();
        self.accounts.retain(|_, account| account.strong_count() > 0);
        dropped
    }
}

impl Meters for Registry {
    fn visit(&mut self, limit: LimitId, act: &mut dyn FnMut(&View, &mut Share)) {
        if let Some(account) = self.account(limit) {
            // It fails only in a forked child, which has a registry of its own.
            let _ = account.visit(limit.0, act);
        }
    }
}

fn known(meter: &Meter) -> Option<Known> {
    let long = |period: Option<Duration>| micros(period.unwrap_or_default());
    let span = match meter.window() {
        Window::Lifetime => WindowSpan::Lifetime,
        window @ Window::Fixed { .. } => WindowSpan::Fixed(long(window.period())),
        Window::Calendar(_) => WindowSpan::Calendar,
        window @ Window::Sliding(_) => WindowSpan::Sliding(long(window.period())),
        Window::Gauge => WindowSpan::Gauge,
    };
    Some(Known { id: LimitId(meter.shared_limit()?), span, most: meter.most_of_all() })
}
