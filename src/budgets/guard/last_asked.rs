//! When the counters of runs were last asked, and how many of them there are.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::accounting::Tick;

/// Up to this number all counters of runs are kept.
const KEPT: usize = 1_024;

/// When a counter of a run was last asked. `None` for other counters, which are always kept.
pub(super) struct LastAsked(Option<AtomicU64>);

impl LastAsked {
    /// For a counter that was made just now.
    pub(super) fn new(is_per_run: bool, now: Tick) -> Self {
        Self(is_per_run.then(|| AtomicU64::new(now.raw())))
    }

    /// Whether it is the counter of a run.
    pub(super) const fn is_per_run(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that the counter is asked now.
    pub(super) fn touch(&self, now: Tick) {
        if let Some(asked) = &self.0 {
            // Relaxed: it is compared with hours.
            asked.store(now.raw(), Ordering::Relaxed);
        }
    }

    /// When the counter of a run was last asked.
    pub(super) fn at(&self) -> Option<Tick> {
        self.0.as_ref().map(|asked| Tick::from_raw(asked.load(Ordering::Relaxed)))
    }
}

/// The number of counters of runs, and the number at which idle ones are dropped.
pub(super) struct Runs {
    known: AtomicUsize,
    sweep_at: AtomicUsize,
}

impl Runs {
    pub(super) const fn new() -> Self {
        Self { known: AtomicUsize::new(0), sweep_at: AtomicUsize::new(KEPT) }
    }

    /// Counts one more. Returns whether it is time to drop idle ones.
    pub(super) fn add_one(&self) -> bool {
        // Relaxed: at worst they are dropped once more, or a little later.
        let known = self.known.fetch_add(1, Ordering::Relaxed) + 1;
        known >= self.sweep_at.load(Ordering::Relaxed)
    }

    /// Notes how many were kept. The next time is when they have doubled.
    pub(super) fn keep(&self, kept: usize) {
        self.known.store(kept, Ordering::Relaxed);
        self.sweep_at.store(kept.saturating_mul(2).max(KEPT), Ordering::Relaxed);
    }
}
