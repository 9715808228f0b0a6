//! A store in a folder of its own, which can be closed and opened again.

use std::sync::Arc;
use std::time::Duration;

use outlay::store::{Store, StoreOptions};
use outlay::{Clock, Error, ManualClock};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) struct Place {
    folder: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
}

impl Place {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        // 22:43 UTC, so that a day ends soon: a store is spoken to every few seconds of it.
        clock.advance(Duration::from_secs(1_032_200));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(super) fn clock(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.clock))
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite:///{}", self.folder.path().join("b.db").display())
    }

    pub(super) fn open(&self) -> Arc<Store> {
        let url = self.url();
        let timeout = Duration::from_secs(20);
        let options = StoreOptions { clock: self.clock(), timeout, ..StoreOptions::default() };
        Store::open(&url, options).unwrap()
    }

    /// Another process would see no less.
    pub(super) fn open_again(&self, store: Arc<Store>) -> Arc<Store> {
        assert!(store.close(Duration::from_secs(20)), "all went back");
        drop(store);
        self.open()
    }
}

/// What became of a call, in a word.
pub(super) fn word<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "passed".to_owned(),
        Err(Error::Denied(denied)) => format!(
            "{:?} {:?} asked {} left {}",
            denied.code, denied.unit, denied.requested, denied.remaining
        ),
        Err(other) => format!("{other}"),
    }
}
