//! When the parts of a guard run out: looked at on the way of its requests, never in a thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::part::Part;
use crate::accounting::{Clock, Tick};

/// So many parts are kept in any case before those that are gone are cleared away.
const KEPT: usize = 64;

/// The parts that have an end, by when it is time to look at them.
pub(super) struct Ends {
    /// The earliest time in the queue: most requests read this and go on.
    earliest: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    parts: BinaryHeap<Reverse<Entry>>,
    /// At so many they are looked through.
    clear_at: usize,
}

struct Entry {
    due: Tick,
    /// Parts of parts come before those that they are a part of.
    depth: Reverse<usize>,
    part: Weak<Part>,
}

impl Ends {
    pub(super) fn new() -> Arc<Self> {
        let queue = Mutex::new(Queue { parts: BinaryHeap::new(), clear_at: KEPT });
        Arc::new(Self { earliest: AtomicU64::new(u64::MAX), queue })
    }

    /// Looks at the part at that time.
    pub(super) fn add(&self, due: Tick, depth: usize, part: Weak<Part>) {
        let mut queue = self.queue.lock();
        if queue.parts.len() >= queue.clear_at {
            queue.parts.retain(|entry| entry.0.part.strong_count() > 0);
            queue.clear_at = queue.parts.len().saturating_mul(2).max(KEPT);
        }
        queue.parts.push(Reverse(Entry { due, depth: Reverse(depth), part }));
        self.publish(&queue);
    }

    /// Ends the parts whose time is over. The caller holds no lock.
    #[inline]
    pub(super) fn run(&self, clock: &Clock) {
        // Relaxed: a stale value only puts it off to the next request.
        let earliest = self.earliest.load(Ordering::Relaxed);
        if earliest != u64::MAX && clock.tick().raw() >= earliest {
            self.end_due(clock.tick());
        }
    }

    #[cold]
    fn end_due(&self, now: Tick) {
        while let Some(entry) = self.pop(now) {
            if let Some(part) = entry.part.upgrade() {
                part.look(true);
            }
        }
    }

    fn pop(&self, now: Tick) -> Option<Entry> {
        let mut queue = self.queue.lock();
        let due = queue.parts.peek().is_some_and(|top| top.0.due <= now);
        let popped = if due { queue.parts.pop().map(|entry| entry.0) } else { None };
        self.publish(&queue);
        popped
    }

    fn publish(&self, queue: &Queue) {
        let earliest = queue.parts.peek().map_or(u64::MAX, |top| top.0.due.raw());
        self.earliest.store(earliest, Ordering::Relaxed);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.depth) == (other.due, other.depth)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.depth).cmp(&(other.due, other.depth))
    }
}
