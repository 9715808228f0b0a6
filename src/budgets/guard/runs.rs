//! Counters of runs, and of the steps of a run: those that rest for long are forgotten.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::Guard;
use super::counter::Counter;
use crate::accounting::Tick;
use crate::ledger::Error;

/// So many counters of runs are kept in any case.
const KEPT: usize = 1_024;

/// When a counter of a run was last asked; the others are kept for ever.
pub(super) struct Rest(Option<AtomicU64>);

impl Rest {
    /// The rest of a counter that was made just now.
    pub(super) fn new(of_a_run: bool, now: Tick) -> Self {
        Self(of_a_run.then(|| AtomicU64::new(now.raw())))
    }

    /// Whether it is the counter of a run.
    pub(super) const fn of_a_run(&self) -> bool {
        self.0.is_some()
    }

    /// It is asked now.
    pub(super) fn end(&self, now: Tick) {
        if let Some(asked) = &self.0 {
            // Relaxed: it is compared with hours.
            asked.store(now.raw(), Ordering::Relaxed);
        }
    }

    fn began(&self) -> Option<Tick> {
        self.0.as_ref().map(|asked| Tick::from_raw(asked.load(Ordering::Relaxed)))
    }
}

/// How many counters of runs there are, and at how many they are looked through.
pub(super) struct Runs {
    known: AtomicUsize,
    look_at: AtomicUsize,
}

impl Runs {
    pub(super) const fn new() -> Self {
        Self { known: AtomicUsize::new(0), look_at: AtomicUsize::new(KEPT) }
    }
}

impl Guard {
    /// One counter of a run more. Whenever they have doubled, those are dropped that were not asked
    /// for as long as the policy keeps runs, and of which nothing is held.
    pub(super) fn count_run(&self, keep: Duration) -> Result<(), Error> {
        // Relaxed: at worst they are looked through once more, or a little later.
        let known = self.runs.known.fetch_add(1, Ordering::Relaxed) + 1;
        if known < self.runs.look_at.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = self.core.clock().tick();
        let mut kept = 0;
        let mut gone = false;
        let mut fault = None;
        self.counters.retain(|_, counter| {
            let Some(began) = counter.rest.began() else { return true };
            let drop = now >= began.plus(keep)
                && counter.is_free().unwrap_or_else(|error| {
                    fault = Some(error);
                    false
                });
            gone |= drop;
            kept += usize::from(!drop);
            !drop
        });
        self.runs.known.store(kept, Ordering::Relaxed);
        self.runs.look_at.store(kept.saturating_mul(2).max(KEPT), Ordering::Relaxed);
        if gone {
            // What was found for labels may hold counters that are gone.
            self.generation.fetch_add(1, Ordering::Release);
            self.matched.clear();
        }
        fault.map_or(Ok(()), Err)
    }
}

impl Counter {
    /// Whether nothing of it is held.
    fn is_free(&self) -> Result<bool, Error> {
        self.account.read(|meters, _| meters.iter().all(|meter| meter.reserved() == 0))
    }
}
