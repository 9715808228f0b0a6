//! A visit to an account under its lock: it is brought to the present, something is decided, and
//! what was freed goes to those who wait.

use super::identity::Step;
use super::state::State;
use crate::accounting::{Moment, Terms};
use crate::ledger::error::Error;
use crate::ledger::queue::turn::NO_TICKET;

impl State {
    /// Brings the account to `now`: leases that are due end, each at its deadline, and windows
    /// that are over make room for the next.
    #[inline]
    pub(crate) fn touch(&mut self, step: &mut Step<'_>) {
        // Field by field: the clock has just written both halves, and a copy of the whole would
        // wait for them to leave the processor's store buffer.
        let now = Moment { tick: step.now.tick, wall_ns: step.now.wall_ns };
        if let Some(queues) = self.queues()
            && queues.may_be_due(now.tick)
        {
            self.catch_up(step);
        }
        if self.is_due(now.tick) {
            self.expire_due(step);
        }
        self.roll(now);
    }

    /// After a step: what it has freed goes to those who wait.
    #[inline]
    pub(crate) fn hand_on(&mut self, step: &mut Step<'_>) {
        if self.waits().is_some() {
            self.serve_all(step);
        }
    }

    /// Refuses what does not pass; changes nothing but the time.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        demands: &[(u8, u64)],
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Result<(), Error> {
        match self.first_refused(demands, terms, step) {
            None => Ok(()),
            Some(index) => Err(self.refusal(step.identity, demands, index, step.now, terms)),
        }
    }

    /// The first of `demands` that does not pass. What does not pass by a clock that lags is looked
    /// at by a precise one where that may make a difference.
    #[inline]
    pub(crate) fn first_refused(
        &mut self,
        demands: &[(u8, u64)],
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Option<usize> {
        let refused = self.refuses(demands, terms, NO_TICKET)?;
        self.refused_precisely(refused, demands, terms, step)
    }

    #[cold]
    fn refused_precisely(
        &mut self,
        refused: usize,
        demands: &[(u8, u64)],
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Option<usize> {
        let Some(now) = self.precise_now(step.identity, step.now) else { return Some(refused) };
        step.now = now;
        self.touch(step);
        self.refuses(demands, terms, NO_TICKET)
    }

    /// After a step: what it has freed goes to those who wait.
    #[cold]
    pub(crate) fn serve_all(&mut self, step: &mut Step<'_>) {
        self.serve(step);
        if self.is_due(step.now.tick) {
            self.catch_up(step);
        }
        self.rearm(step);
    }

    /// Tells those who watch the clock when to look next, where it is earlier than they know.
    pub(crate) fn rearm(&self, step: &mut Step<'_>) {
        let Some(queues) = self.waits() else { return };
        if step.identity.core().clock().is_manual() {
            return;
        }
        if let Some(at) = self.next_event(step.identity, step.now) {
            for mailbox in queues.watchers().filter(|mailbox| mailbox.arm(step.identity.id(), at)) {
                step.outbox.wake(mailbox);
            }
        }
    }
}
