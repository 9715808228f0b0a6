//! The ends of allotments, in order of time. Requests of the guard check them; there is no thread
//! for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::accounting::{Clock, Tick};

/// The queue is not cleaned up below this number of allotments.
const KEPT: usize = 64;

/// An object that ends by itself once its time is over.
pub(super) trait EndsInTime: Send + Sync {
    /// Ends it if its time is over. Otherwise it is queued again for its end.
    fn end_if_due(&self);
}

/// The allotments with an end, by the time to check them.
pub(crate) struct AllotmentEnds {
    /// The earliest time in the queue. Most requests read only this.
    earliest: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    due: BinaryHeap<Reverse<DueAt>>,
    /// At this number, entries of dropped allotments are removed.
    clear_at: usize,
}

struct DueAt {
    due: Tick,
    /// An inner allotment comes before the one it is taken from.
    depth: Reverse<usize>,
    allotted: Weak<dyn EndsInTime>,
}

impl AllotmentEnds {
    pub(crate) fn new() -> Arc<Self> {
        let queue = Mutex::new(Queue { due: BinaryHeap::new(), clear_at: KEPT });
        Arc::new(Self { earliest: AtomicU64::new(u64::MAX), queue })
    }

    /// Queues the allotment to be checked at that time.
    pub(super) fn add(&self, due: Tick, depth: usize, allotted: Weak<dyn EndsInTime>) {
        let mut queue = self.queue.lock();
        if queue.due.len() >= queue.clear_at {
            queue.due.retain(|entry| entry.0.allotted.strong_count() > 0);
            queue.clear_at = queue.due.len().saturating_mul(2).max(KEPT);
        }
        queue.due.push(Reverse(DueAt { due, depth: Reverse(depth), allotted }));
        self.publish(&queue);
    }

    /// Ends the allotments whose time is over. The caller holds no lock.
    #[inline]
    pub(crate) fn run(&self, clock: &Clock) {
        // Relaxed: a stale value only delays it to the next request.
        let earliest = self.earliest.load(Ordering::Relaxed);
        if earliest != u64::MAX && clock.tick().raw() >= earliest {
            self.end_due(clock.tick());
        }
    }

    #[cold]
    fn end_due(&self, now: Tick) {
        while let Some(entry) = self.pop(now) {
            if let Some(allotted) = entry.allotted.upgrade() {
                allotted.end_if_due();
            }
        }
    }

    fn pop(&self, now: Tick) -> Option<DueAt> {
        let mut queue = self.queue.lock();
        let due = queue.due.peek().is_some_and(|top| top.0.due <= now);
        let popped = if due { queue.due.pop().map(|entry| entry.0) } else { None };
        self.publish(&queue);
        popped
    }

    fn publish(&self, queue: &Queue) {
        let earliest = queue.due.peek().map_or(u64::MAX, |top| top.0.due.raw());
        self.earliest.store(earliest, Ordering::Relaxed);
    }
}

impl PartialEq for DueAt {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.depth) == (other.due, other.depth)
    }
}

impl Eq for DueAt {}

impl PartialOrd for DueAt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DueAt {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.depth).cmp(&(other.due, other.depth))
    }
}
