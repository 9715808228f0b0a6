//! A SQLite file as the backend of a store.

use std::sync::Arc;
use std::time::Duration;

use super::backend::{Backend, Done};
use super::options::StoreOptions;
use crate::ledger::Error;
use crate::store::inspected::Inspected;
use crate::store::message::{Answer, FactGiven, FactId, HolderId, LimitId, Message};
use crate::store::sqlite::{SqliteOptions, SqliteStore};

/// The one address of a file.
pub(super) fn place(url: &str) -> Result<String, Error> {
    SqliteStore::place(url)
}

pub(super) fn open(url: &str, options: &StoreOptions) -> Result<Arc<dyn Backend>, Error> {
    let options = SqliteOptions {
        namespace: options.namespace.clone(),
        ttl: options.ttl,
        strict: options.strict,
        durable: options.durable,
        clock: options.clock.clone(),
        patience: options.connect_timeout,
    };
    loop {
        let store = SqliteStore::open(url, options.clone())?;
        // One that closes just now is opened anew.
        if store.enter() {
            return Ok(store as _);
        }
    }
}

impl Backend for SqliteStore {
    fn place(&self) -> String {
        self.url()
    }

    fn send(&self, message: Arc<Message>, done: Done<Answer>) {
        Self::send(self, message, done);
    }

    fn look(&self, holder: HolderId, done: Done<Vec<LimitId>>) {
        Self::look(self, holder, done);
    }

    fn facts(&self, id: FactId, done: Done<Vec<(FactId, FactGiven)>>) {
        Self::facts(self, id, done);
    }

    fn create(&self) -> Result<(), Error> {
        Self::create(self)
    }

    fn inspect(&self) -> Result<Vec<Inspected>, Error> {
        Self::inspect(self)
    }

    fn has_leapt(&self) -> bool {
        Self::has_leapt(self)
    }

    fn close(&self, timeout: Duration) -> bool {
        Self::leave(self, timeout)
    }
}
