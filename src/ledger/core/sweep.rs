//! The sweep: it ends due leases of accounts that no call touches. Each reservation sweeps a few
//! accounts; there is no thread for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accounting::{Follower, Tick};
use crate::ledger::sync::Mutex;

/// The most accounts that one reservation sweeps.
const ACCOUNTS_MAX: usize = 4;

/// Room for so many accounts is always kept.
const ROOM: usize = 1_024;

/// An account, as the sweep sees it.
pub(crate) trait Swept: Follower {
    /// Ends the leases that are due. `queued` is the time for which the sweep queued the account.
    /// If the account is queued for an earlier time by now, this call does nothing. Returns the
    /// next time to queue it for, if any.
    fn sweep(&self, queued: Tick) -> Option<Tick>;
}

/// The accounts with open leases, by the time at which their first lease is due.
pub(crate) struct Sweep {
    /// The earliest due time in the queue. Most calls read only this.
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

    /// Queues `account` for the time at which one of its leases is due. Takes no other lock under
    /// its own.
    pub(crate) fn add(&self, due: Tick, account: Weak<dyn Swept>) {
        let mut queue = self.queue.lock();
        queue.push(Reverse(DueAccount { due, account }));
        self.publish(&queue);
    }

    /// Ends the due leases of a few accounts. The caller holds no lock.
    #[inline]
    pub(crate) fn run(&self, now: Tick) {
        // Relaxed: a stale value only delays the sweep to the next call.
        if now.raw() >= self.earliest.load(Ordering::Relaxed) {
            for entry in self.take(now) {
                let next = entry.account.upgrade().and_then(|account| account.sweep(entry.due));
                if let Some(due) = next {
                    self.add(due, entry.account);
                }
            }
        }
    }

    /// Ends the due leases of all accounts. The caller holds no lock.
    pub(crate) fn run_all(&self, now: Tick) {
        let turns = self.queue.lock().len() / ACCOUNTS_MAX + 1;
        (0..turns).for_each(|_| self.run(now));
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
        if queue.capacity() / 4 > queue.len().max(ROOM) {
            let room = 2 * queue.len().max(ROOM);
            queue.shrink_to(room);
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
