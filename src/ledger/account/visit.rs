//! A visit to an account under its lock: bring it to the present, decide, and give free capacity to
//! the waits.

use super::held::Verdict;
use super::identity::Step;
use super::state::State;
use crate::accounting::{Moment, Terms};
use crate::ledger::claim::Demand;
use crate::ledger::error::Stop;
use crate::ledger::queue::turn::NO_TICKET;

impl State {
    /// Brings the account to `now`. Leases that are due end, each at its deadline. Windows that are
    /// over begin again.
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

    /// Ends a step: capacity that it freed goes to the waits.
    #[inline]
    pub(crate) fn hand_on(&mut self, step: &mut Step<'_>) {
        let Some(rare) = &self.rare else { return };
        if rare.supplied.is_some() {
            self.hand_on_shared(step);
        } else if rare.queues.as_ref().is_some_and(|queues| !queues.is_empty()) {
            self.serve_all(step);
        }
    }

    /// Refuses demands that do not pass. Changes nothing but the time.
    #[inline(always)] // in the path of each booking
    pub(crate) fn decide(
        &mut self,
        demands: &[Demand],
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        match self.first_refused(demands, terms, step) {
            None => Ok(()),
            Some(index) => Err(self.stop(demands, index, terms, step)),
        }
    }

    /// Why the demand at `index` does not pass.
    #[cold]
    fn stop(&self, demands: &[Demand], index: usize, terms: Terms, step: &Step<'_>) -> Stop {
        let index = match self.supplied() {
            None => index,
            Some(_) => match self.verdict(demands, terms, NO_TICKET, None, step.identity.id()) {
                Verdict::Short(_) => return Stop::Short,
                // Not one that only lacks a share.
                Verdict::Refused(at) => at,
                Verdict::Passes => index,
            },
        };
        self.refusal(step.identity, demands, index, step.now, terms).into()
    }

    /// Whether a request that does not wait lacks a share, and nothing else.
    pub(crate) fn lacks_share(&self, demands: &[Demand], terms: Terms, step: &Step<'_>) -> bool {
        let verdict = || self.verdict(demands, terms, NO_TICKET, None, step.identity.id());
        self.supplied().is_some() && matches!(verdict(), Verdict::Short(_))
    }

    /// The first of `demands` that does not pass. If the clock lags, a refusal is checked again by
    /// the precise clock where that may matter.
    #[inline(always)] // in the path of each booking
    pub(crate) fn first_refused(
        &mut self,
        demands: &[Demand],
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
        demands: &[Demand],
        terms: Terms,
        step: &mut Step<'_>,
    ) -> Option<usize> {
        let Some(now) = self.precise_now(step.identity, step.now) else { return Some(refused) };
        step.now = now;
        self.touch(step);
        self.refuses(demands, terms, NO_TICKET)
    }
}
