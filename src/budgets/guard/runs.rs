//! Forgets the counters of runs, and of the steps of runs, that are idle for long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::Guard;
use crate::ledger::Error;

impl Guard {
    /// Counts one more counter of a run. Each time their number has doubled, idle ones are dropped:
    /// not asked for as long as the policy keeps runs, and without open holds.
    pub(super) fn count_run(&self, keep: Duration) -> Result<(), Error> {
        if !self.runs.add_one() {
            return Ok(());
        }
        let now = self.core.clock().tick();
        let mut kept = 0;
        let mut gone = false;
        let mut fault = None;
        self.counters.retain(|_, counter| {
            let Some(asked) = counter.last_asked.at() else { return true };
            let drop = now >= asked.plus(keep)
                && counter.is_free().unwrap_or_else(|error| {
                    fault = Some(error);
                    false
                });
            gone |= drop;
            kept += usize::from(!drop);
            !drop
        });
        self.runs.keep(kept);
        if gone {
            // Cached matches may contain counters that are gone.
            self.generation.fetch_add(1, Ordering::Release);
            self.matched.clear();
        }
        fault.map_or(Ok(()), Err)
    }
}
