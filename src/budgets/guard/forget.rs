//! Forgets counters that have nothing more to say.
//!
//! Counters without labels are few, and stay. A counter of some label values goes once it has no open
//! lease, no wait and no allotment, and its windows are over, or nothing was ever counted in it. A new
//! counter would say the same. The counter of a run goes once nobody has asked it for as long as the
//! policy keeps runs, whatever it has counted.
//!
//! Nobody may count on a counter that is forgotten, while another request makes a new one. So a
//! counter goes only while nothing but the guard's map holds it, and that is read under the lock of
//! its shard. A request, a cached match, an allotment and a wait each hold the counter; a lease holds
//! its account for as long as a handle lives. To hold it anew takes that lock. So what is
//! committed late, after a lease has run out, is booked where the guard still counts.
//!
//! There is no thread for it. Counters stand in a queue, by the time at which they may go. A new
//! counter, and one in four admitted requests, checks a few that are due; `snapshot` checks all.

pub(super) mod last_asked;
pub(super) mod queue;

use std::sync::{Arc, Weak};
use std::time::Duration;

use self::queue::SOON;
use super::counter::Counter;
use super::matched::Matched;
use super::state::Guard;
use crate::accounting::Tick;
use crate::ledger::Silent;

/// How many counters one call checks.
const FEW: usize = 16;

/// What has become of a counter that was checked.
enum Forgotten {
    Gone,
    /// It may go at this time.
    Later(Tick),
    /// It has nothing to say, but somebody holds it.
    Held,
    /// It never goes.
    Stays,
}

impl Guard {
    /// Queues a new counter, if it has label values.
    pub(super) fn queue_to_forget(&self, counter: &Arc<Counter>, keep_runs: Duration) {
        if !counter.key().1.is_any() {
            return;
        }
        let now = self.core.clock().tick();
        let after = if counter.last_asked.is_per_run() { keep_runs } else { SOON };
        self.forgetting.add(now.plus(after), Arc::downgrade(counter));
        // The caller holds the lock of the policy in force.
        self.forget_few(|| keep_runs);
    }

    /// Forgets a few counters, once in some requests.
    #[inline]
    pub(super) fn forget_sometimes(&self, matched: &Matched) {
        if matched.asked.first().is_some_and(|asked| asked.counter.is_to_forget()) {
            self.forget_few(|| self.in_force.read().policy.defaults.keep_runs);
        }
    }

    fn forget_few(&self, keep_runs: impl FnOnce() -> Duration) {
        if self.forgetting.is_idle() {
            return;
        }
        let now = self.core.clock().tick();
        if !self.forgetting.is_due(now) {
            return;
        }
        self.forgetting.note(self.counters.len());
        let keep = keep_runs();
        let mut held = false;
        for counter in self.forgetting.take(now, FEW) {
            held |= self.forget(&counter, keep, now);
        }
        if held && self.forgetting.may_turn(now) {
            // Matches that nobody asks any more let go of their counters.
            self.matched.turn();
        }
        self.make_small();
    }

    /// Forgets all counters that have nothing to say.
    pub(super) fn forget_all(&self) {
        let now = self.core.clock().tick();
        self.core.sweep.run_all(now);
        self.forgetting.note(self.counters.len());
        let keep = self.in_force.read().policy.defaults.keep_runs;
        let all = self.counters.iter().filter(|entry| entry.key().1.is_any());
        let all: Vec<_> = all.map(|entry| Arc::downgrade(entry.value())).collect();
        self.forgetting.clear();
        let held = |counter: &Weak<Counter>| self.forget(counter, keep, now);
        let held: Vec<_> = all.into_iter().filter(held).collect();
        if !held.is_empty() {
            self.matched.clear();
            // They are queued for later already.
            for counter in &held {
                self.checked(counter, keep, now);
            }
        }
        self.make_small();
    }

    /// Forgets a counter, or queues it for later. Returns whether it has nothing to say and is held.
    fn forget(&self, counter: &Weak<Counter>, keep: Duration, now: Tick) -> bool {
        let later = match self.checked(counter, keep, now) {
            Forgotten::Gone | Forgotten::Stays => return false,
            Forgotten::Later(at) => at,
            Forgotten::Held => now.plus(SOON),
        };
        self.forgetting.add(later, Weak::clone(counter));
        later == now.plus(SOON)
    }

    fn checked(&self, counter: &Weak<Counter>, keep: Duration, now: Tick) -> Forgotten {
        let Some(counter) = counter.upgrade() else { return Forgotten::Gone };
        match counter.silent(now.minus(keep)) {
            Silent::Never => return Forgotten::Stays,
            Silent::From(at) if counter.last_asked.is_per_run() => {
                return Forgotten::Later(at.plus(keep));
            }
            Silent::From(at) => return Forgotten::Later(at.max(now.plus(Duration::from_secs(1)))),
            Silent::Now => {}
        }
        let gone = self.counters.remove_if(&counter.key(), |_, present| {
            // Under the lock of the shard. The other handle is the one in this function.
            Arc::ptr_eq(present, &counter)
                && Arc::strong_count(present) == 2
                // That of a store is found again while anybody has it.
                && (present.is_stored() || Arc::strong_count(&present.account) == 1)
                && present.silent(now.minus(keep)) == Silent::Now
        });
        if gone.is_some() { Forgotten::Gone } else { Forgotten::Held }
    }

    /// Gives room back once most counters are gone.
    fn make_small(&self) {
        if self.forgetting.is_small(self.counters.len()) {
            self.counters.shrink_to_fit();
        }
    }
}
