//! When the counter of a run was last asked.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::accounting::Tick;

/// What the counters of no run have. No clock shows it.
const NO_RUN: u64 = 0;

/// When a counter of a run was last asked.
pub(in crate::budgets::guard) struct LastAsked(AtomicU64);

impl LastAsked {
    /// For a counter that was made just now.
    pub(in crate::budgets::guard) fn new(is_per_run: bool, now: Tick) -> Self {
        Self(AtomicU64::new(if is_per_run { now.raw() } else { NO_RUN }))
    }

    /// Whether it is the counter of a run.
    pub(in crate::budgets::guard) fn is_per_run(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NO_RUN
    }

    /// Notes that the counter is asked now.
    pub(in crate::budgets::guard) fn touch(&self, now: Tick) {
        if self.is_per_run() {
            // Relaxed: it is compared with hours.
            self.0.store(now.raw(), Ordering::Relaxed);
        }
    }

    /// When the counter of a run was last asked. `None` for other counters.
    pub(in crate::budgets::guard) fn at(&self) -> Option<Tick> {
        let at = self.0.load(Ordering::Relaxed);
        (at != NO_RUN).then(|| Tick::from_raw(at))
    }
}
