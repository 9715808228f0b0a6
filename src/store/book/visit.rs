//! One message under way through the book.

use crate::store::message::HolderId;
use crate::store::rows::{HolderRow, StoreRow};

/// The most facts of a message, so that a number remembers which of them it has changed.
pub(super) const FACTS_MAX: usize = 64;

/// How a store is run. Durations are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRules {
    /// A holder that is silent for so long is lost.
    pub ttl: u64,
    /// Whether an empty namespace refuses all messages until it is [created](create).
    pub strict: bool,
    /// How long an era is kept after its end, for leases that end later.
    pub keep: u64,
}

/// What the store knows beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Its clock: microseconds since 1970 UTC.
    pub time: i64,
    /// 128 random bits, for an epoch that begins now.
    pub fresh: u128,
}

/// One message under way through the book.
pub(super) struct Visit<'a, R> {
    pub(super) rows: &'a mut R,
    pub(super) rules: &'a StoreRules,
    pub(super) store: StoreRow,
    pub(super) holder: HolderId,
    pub(super) row: HolderRow,
    pub(super) live: u32,
}

impl<R> Visit<'_, R> {
    pub(super) const fn time(&self) -> i64 {
        self.store.latest
    }

    pub(super) const fn learns(&self) -> bool {
        self.store.latest < self.store.learns_until
    }
}
