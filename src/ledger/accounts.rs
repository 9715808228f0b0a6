//! Accounts by id: a sharded map that holds each id once.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dashmap::DashSet;

use super::account::Account;
use super::account::idle::Silent;
use super::error::Error;

/// Accounts by id.
#[derive(Default)]
pub(crate) struct Accounts {
    set: DashSet<ByKey>,
}

struct ByKey(Arc<Account>);

impl Account {
    /// Opens the account again, if it was closed.
    pub(crate) fn open_again(&self) -> Result<(), Error> {
        self.locked(|state, _| {
            if state.is_closed() {
                state.rare_mut().closed = false;
            }
        })
    }

    /// Whether the account has anything to say. Changes nothing.
    pub(crate) fn silent(&self) -> Silent {
        self.lock().silent(self.identity().present(), |_| true)
    }

    /// The same, where what has no limit and counts for ever says nothing.
    pub(crate) fn silent_within_limits(&self) -> Silent {
        self.lock().silent(self.identity().present(), |meter| meter.limit().is_some())
    }
}

impl Accounts {
    /// The account with that id. No lock is held when it returns.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Account>> {
        self.set.get(id).map(|found| Arc::clone(&found.0))
    }

    /// Adds `account` unless its id is taken. Returns the account that has the id.
    pub(crate) fn get_or_insert(&self, account: Arc<Account>) -> Arc<Account> {
        loop {
            if self.set.insert(ByKey(Arc::clone(&account))) {
                return account;
            }
            // The id is taken. But its account may be removed before it is read.
            if let Some(present) = self.get(account.key().as_str()) {
                return present;
            }
        }
    }

    /// Removes the account with that id.
    pub(crate) fn remove(&self, id: &str) -> Option<Arc<Account>> {
        self.set.remove(id).map(|removed| removed.0)
    }

    /// Removes the account with that id if `is_to_go`, which runs under the lock of its place: nobody
    /// else gets the account meanwhile.
    pub(crate) fn remove_if(&self, id: &str, is_to_go: impl FnOnce(&Arc<Account>) -> bool) -> bool {
        self.set.remove_if(id, |present| is_to_go(&present.0)).is_some()
    }

    /// All accounts, as they were at some time during the call.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.set.iter().map(|entry| Arc::clone(&entry.0)).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("len", &self.len()).finish()
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for ByKey {}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().as_str().hash(state);
    }
}

impl Borrow<str> for ByKey {
    fn borrow(&self) -> &str {
        self.0.key().as_str()
    }
}
