//! The cache of matches, in two halves. The older half is dropped as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

/// How many sets of labels each half holds. Other sets are matched again.
const HALF: usize = 2_048;

/// Matches (`T`) by the bytes of their labels. What was not asked for two turns is gone.
pub(in crate::budgets::guard) struct MatchCache<T> {
    halves: [DashMap<Box<[u8]>, Arc<T>>; 2],
    young: AtomicUsize,
}

impl<T> MatchCache<T> {
    pub(in crate::budgets::guard) fn new() -> Self {
        Self { halves: [DashMap::new(), DashMap::new()], young: AtomicUsize::new(0) }
    }

    fn young(&self) -> usize {
        // Relaxed: whatever half a thread takes for the young one, it is a cache.
        self.young.load(Ordering::Relaxed) & 1
    }

    /// The match for these labels.
    #[inline]
    pub(in crate::budgets::guard) fn get(&self, key: &[u8]) -> Option<Arc<T>> {
        let found = self.halves[self.young()].get(key);
        found.map_or_else(|| self.get_old(key), |found| Some(Arc::clone(&found)))
    }

    #[cold]
    fn get_old(&self, key: &[u8]) -> Option<Arc<T>> {
        let found = Arc::clone(&*self.halves[1 - self.young()].get(key)?);
        self.insert(key, Arc::clone(&found));
        Some(found)
    }

    pub(in crate::budgets::guard) fn insert(&self, key: &[u8], matched: Arc<T>) {
        if self.halves[self.young()].len() >= HALF {
            self.turn();
        }
        self.halves[self.young()].insert(key.into(), matched);
    }

    /// Drops the older half. The young one is the older one now.
    pub(in crate::budgets::guard) fn turn(&self) {
        let old = 1 - self.young();
        self.halves[old].clear();
        self.young.store(old, Ordering::Relaxed);
    }

    pub(in crate::budgets::guard) fn clear(&self) {
        self.halves.iter().for_each(DashMap::clear);
    }
}
