//! The counters of a guard, by the time at which they may be forgotten.

use std::cmp::{Ordering as Order, Reverse};
use std::collections::BinaryHeap;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::accounting::Tick;
use crate::budgets::guard::counter::Counter;

/// When a counter is checked first, and when again if somebody holds it.
pub(in crate::budgets::guard) const SOON: Duration = Duration::from_secs(60);

/// Room for so many is always kept.
const ROOM: usize = 1_024;

/// The queue. Its lock is a leaf.
pub(in crate::budgets::guard) struct Forgetting {
    /// The earliest time in the queue. Most calls read only this.
    earliest: AtomicU64,
    queue: Mutex<BinaryHeap<Reverse<DueCounter>>>,
    /// When the cached matches turned last.
    turned: AtomicU64,
    /// The most counters since room was given back.
    peak: AtomicUsize,
}

struct DueCounter {
    at: Tick,
    counter: Weak<Counter>,
}

impl Forgetting {
    pub(in crate::budgets::guard) fn new() -> Self {
        Self {
            earliest: AtomicU64::new(u64::MAX),
            queue: Mutex::new(BinaryHeap::new()),
            turned: AtomicU64::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Queues a counter.
    pub(super) fn add(&self, at: Tick, counter: Weak<Counter>) {
        let mut queue = self.queue.lock();
        queue.push(Reverse(DueCounter { at, counter }));
        self.publish(&queue);
    }

    /// Whether no counter is queued.
    pub(super) fn is_idle(&self) -> bool {
        self.earliest.load(Ordering::Relaxed) == u64::MAX
    }

    /// Whether a counter is due.
    pub(super) fn is_due(&self, now: Tick) -> bool {
        // Relaxed: a stale value only delays it to the next call.
        now.raw() >= self.earliest.load(Ordering::Relaxed)
    }

    /// Takes at most `most` of the counters that are due.
    pub(super) fn take(&self, now: Tick, most: usize) -> Vec<Weak<Counter>> {
        let mut queue = self.queue.lock();
        let mut taken = Vec::new();
        while taken.len() < most && queue.peek().is_some_and(|top| top.0.at <= now) {
            taken.extend(queue.pop().map(|due| due.0.counter));
        }
        if queue.capacity() / 4 > queue.len().max(ROOM) {
            let room = 2 * queue.len().max(ROOM);
            queue.shrink_to(room);
        }
        self.publish(&queue);
        taken
    }

    pub(super) fn clear(&self) {
        let mut queue = self.queue.lock();
        *queue = BinaryHeap::new();
        self.publish(&queue);
    }

    fn publish(&self, queue: &BinaryHeap<Reverse<DueCounter>>) {
        let earliest = queue.peek().map_or(u64::MAX, |top| top.0.at.raw());
        self.earliest.store(earliest, Ordering::Relaxed);
    }

    /// Whether the cached matches may turn again.
    pub(super) fn may_turn(&self, now: Tick) -> bool {
        // Relaxed: at worst they turn twice.
        let is_time = now >= Tick::from_raw(self.turned.load(Ordering::Relaxed)).plus(SOON);
        if is_time {
            self.turned.store(now.raw(), Ordering::Relaxed);
        }
        is_time
    }

    /// Notes how many counters there are.
    pub(super) fn note(&self, len: usize) {
        self.peak.fetch_max(len, Ordering::Relaxed);
    }

    /// Whether most of the counters are gone since the last time.
    pub(super) fn is_small(&self, len: usize) -> bool {
        let peak = self.peak.load(Ordering::Relaxed);
        let is_small = peak / 4 > len.max(ROOM);
        if is_small {
            self.peak.store(len, Ordering::Relaxed);
        }
        is_small
    }
}

impl PartialEq for DueCounter {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for DueCounter {}

impl PartialOrd for DueCounter {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for DueCounter {
    fn cmp(&self, other: &Self) -> Order {
        self.at.cmp(&other.at)
    }
}
