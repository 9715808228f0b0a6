//! How a lease ended, stored in the handle that ended it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::accounting::{Billing, Usage};
use crate::ledger::ending::End;

const OPEN: u8 = 0;
const RELEASED: u8 = 1;
const COMMITTED: u8 = 2;

/// The end of a lease. It is written once and read under the locks of the lease's accounts. They
/// order it, so every access is Relaxed. It is also read when the handle is dropped, and then no
/// other thread can see it. Stores are plain: a lock would cost as much as the lock of the account.
#[derive(Debug, Default)]
pub(crate) struct EndCell {
    state: AtomicU8,
    usage: [AtomicU64; Usage::COUNTS],
    /// Set only if there is any.
    billing: OnceLock<Billing>,
}

impl EndCell {
    #[inline]
    pub(crate) fn set(&self, committed: Option<&Usage>) {
        match committed {
            None => self.state.store(RELEASED, Ordering::Relaxed),
            Some(usage) => {
                for (cell, value) in self.usage.iter().zip(usage.to_array()) {
                    cell.store(value, Ordering::Relaxed);
                }
                if !usage.billing.is_none() {
                    let _ = self.billing.set(usage.billing.clone());
                }
                self.state.store(COMMITTED, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.state.load(Ordering::Relaxed) != OPEN
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<End> {
        match self.state.load(Ordering::Relaxed) {
            OPEN => None,
            RELEASED => Some(End::Released),
            _ => {
                let usage = self.usage.each_ref().map(|cell| cell.load(Ordering::Relaxed));
                let billing = self.billing.get().cloned().unwrap_or_default();
                Some(End::Committed(Usage::from_array(usage, billing)))
            }
        }
    }
}
