//! Decides whether a request passes. Nothing changes here but the time.

use super::held::Held;
use super::identity::Identity;
use super::state::State;
use crate::accounting::{Cause, Denied, Invalid, Moment, Terms, Tick};
use crate::ledger::claim::Demand;
use crate::ledger::error::Error;

/// A refused admission, under the lock of the account.
pub(crate) struct Refused<'a> {
    pub(crate) state: &'a State,
    pub(crate) identity: &'a Identity,
    pub(crate) demands: &'a [Demand],
    pub(crate) index: usize,
    pub(crate) now: Moment,
}

impl Refused<'_> {
    /// The refusal with its text.
    pub(crate) fn error(&self) -> Error {
        let Self { state, identity, demands, index, now } = *self;
        state.refusal(identity, demands, index, now, Terms::Gated)
    }
}

impl State {
    /// The first of `demands` that does not pass, if there is one. It does not fit, or a wait older
    /// than `ticket` is queued on the same meter.
    #[inline]
    pub(crate) fn refuses(&self, demands: &[Demand], terms: Terms, ticket: u64) -> Option<usize> {
        // Asked once: nearly always nobody waits, and only the meters decide.
        let quiet = self.waits().is_none() && !self.is_closed();
        for index in 0..demands.len() {
            let fits = self
                .asked(demands, index)
                .is_some_and(|(meter, amount)| meter.admits(amount, terms));
            if !fits || !(quiet || self.passes(demands, index, terms, ticket)) {
                return Some(index);
            }
        }
        None
    }

    /// Whether the demand at `index` passes.
    pub(crate) fn passes(
        &self,
        demands: &[Demand],
        index: usize,
        terms: Terms,
        ticket: u64,
    ) -> bool {
        let Demand { meter: number, .. } = demands[index];
        let passes = self.asked(demands, index).is_some_and(|(meter, amount)| {
            meter.admits(amount, terms) && !self.is_behind(number, amount, terms, ticket)
        });
        passes && !self.is_closed()
    }

    /// The present by the precise clock, if more may be due by then than at `now`.
    #[cold]
    pub(crate) fn precise_now(&self, identity: &Identity, now: Moment) -> Option<Moment> {
        let latest = now.tick.plus(identity.core().clock().lag());
        if latest == now.tick || !self.may_change_by(latest, now) {
            return None;
        }
        identity.precise_now()
    }

    /// Whether time alone may change anything between `now` and `at`.
    fn may_change_by(&self, at: Tick, now: Moment) -> bool {
        let lease = self.entries().and_then(|entries| entries.next_due());
        lease.is_some_and(|due| due <= at)
            || self.queues().is_some_and(|queues| queues.may_be_due(at))
            || self.meters.iter().any(|meter| meter.may_change_by(at, now))
    }

    /// The refusal of the demand at `index`.
    #[cold]
    pub(crate) fn refusal(
        &self,
        identity: &Identity,
        demands: &[Demand],
        index: usize,
        now: Moment,
        terms: Terms,
    ) -> Error {
        let Demand { meter: number, amount } = demands[index];
        if self.is_closed() {
            return identity.closed_denial(&self.meters, amount, now).into();
        }
        let Some(meter) = self.meters.get(usize::from(number)) else {
            let message = format!(
                "account {:?} has no meter with the number {number}: it has {} meters, numbered \
                 from 0; correct the demand",
                identity.key().as_str(),
                self.meters.len()
            );
            return Invalid::sentence(message).into();
        };
        let amount = self.asked(demands, index).map_or(u64::MAX, |(_, amount)| amount);
        let mut denied = Denied::by(meter, identity.code(), identity.denied_id(), amount, now);
        let cause = meter.cause(amount, terms);
        // All demands are checked only if this one is held. Most refusals are for spent budgets.
        let held = match cause {
            Cause::Held => self.held(identity, demands, now, terms),
            _ => Held::Not(true),
        };
        (denied.cause, denied.retry_after) = match held {
            Held::For(wait) => (Cause::Held, wait),
            Held::Not(_) => (cause.unheld(), self.wait(identity, demands, now, terms)),
        };
        identity.complete(&mut denied, number);
        if denied.reason.is_none() && denied.subject.is_none() && meter.admits(amount, terms) {
            denied.remark = Some(": others are waiting for it".to_owned());
        }
        denied.into()
    }
}
