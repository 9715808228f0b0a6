//! Counters of runs, and of the steps of a run: those that rest for long are forgotten.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::Guard;
use crate::ledger::Error;

impl Guard {
    /// One counter of a run more. Whenever they have doubled, those are dropped that were not asked
    /// for as long as the policy keeps runs, and of which nothing is held.
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
            // What was found for labels may hold counters that are gone.
            self.generation.fetch_add(1, Ordering::Release);
            self.matched.clear();
        }
        fault.map_or(Ok(()), Err)
    }
}
