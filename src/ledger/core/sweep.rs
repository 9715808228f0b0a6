//! The sweep that ends due leases of accounts that nobody touches: a few at a time, on the way
//! of other reservations, never in a thread of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accounting::{Follower, Tick};
use crate::ledger::sync::Mutex;

/// How many accounts one reservation sweeps at most.
const ACCOUNTS_MAX: usize = 4;

/// An account, as the sweep sees it.
pub(crate) trait Swept: Follower {
    /// Ends what is due. `queued` is when the sweep wanted to come: an account that it comes to
    /// earlier by now is not queued a second time. Returns when it is to come again, if it is.
    fn sweep(&self, queued: Tick) -> Option<Tick>;
}

/// The accounts with open leases, by when the first of them is due.
pub(crate) struct Sweep {
    /// The earliest due time in the queue: most calls read this and go on.
    earliest: AtomicU64,
    queue: Mutex<BinaryHeap<Reverse<DueAccount>>>,
}

struct DueAccount {
    due: Tick,
    account: Weak<dyn Swept>,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self { earliest: AtomicU64::new(u64::MAX), queue: Mutex::new(BinaryHeap::new()) }
    }

    /// Remembers that a lease of `account` is due then. No other lock is taken under this one.
    pub(crate) fn add(&self, due: Tick, account: Weak<dyn Swept>) {
        let mut queue = self.queue.lock();
        queue.push(Reverse(DueAccount { due, account }));
        self.publish(&queue);
    }

    /// Ends what is due in a few of the accounts. The caller holds no lock.
    #[inline]
    pub(crate) fn run(&self, now: Tick) {
        // Relaxed: a stale value only puts the sweep off to the next call.
        if now.raw() >= self.earliest.load(Ordering::Relaxed) {
            for entry in self.take(now) {
                let next = entry.account.upgrade().and_then(|account| account.sweep(entry.due));
                if let Some(due) = next {
                    self.add(due, entry.account);
                }
            }
        }
    }

    #[cold]
    fn take(&self, now: Tick) -> Vec<DueAccount> {
        let Some(mut queue) = self.queue.try_lock() else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        while taken.len() < ACCOUNTS_MAX && queue.peek().is_some_and(|top| top.0.due <= now) {
            taken.extend(queue.pop().map(|entry| entry.0));
        }
        self.publish(&queue);
        taken
    }

    fn publish(&self, queue: &BinaryHeap<Reverse<DueAccount>>) {
        let earliest = queue.peek().map_or(u64::MAX, |top| top.0.due.raw());
        self.earliest.store(earliest, Ordering::Relaxed);
    }
}

impl PartialEq for DueAccount {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for DueAccount {}

impl PartialOrd for DueAccount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DueAccount {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}
