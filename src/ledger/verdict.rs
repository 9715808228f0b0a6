//! Whether a request passes: nothing is changed here but the time.

use super::account::Account;
use super::error::Error;
use super::held::Held;
use super::identity::{Identity, Step};
use super::state::State;
use super::turn::NO_TICKET;
use crate::accounting::{Cause, Denied, Invalid, Meter, Moment, Terms, Tick};

impl State {
    /// The first of `demands` that does not pass, if there is one: it does not fit, or somebody
    /// older than `ticket` waits for the same meter.
    #[inline]
    pub(crate) fn refuses(
        &self,
        demands: &[(u8, u64)],
        terms: Terms,
        ticket: u64,
    ) -> Option<usize> {
        let alone = self.waits().is_none();
        for (index, &(number, _)) in demands.iter().enumerate() {
            let passes = self.asked(demands, index).is_some_and(|(meter, amount)| {
                meter.admits(amount, terms)
                    && (alone || !self.is_behind(number, amount, terms, ticket))
            });
            if !passes || self.is_closed() {
                return Some(index);
            }
        }
        None
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

    /// The present by the precise clock, where more may be due by then than at `now`.
    #[cold]
    pub(crate) fn precise_now(&self, identity: &Identity, now: Moment) -> Option<Moment> {
        let latest = now.tick.plus(identity.core().clock().lag());
        if latest == now.tick || !self.may_change_by(latest, now) {
            return None;
        }
        identity.precise_now()
    }

    /// Whether the passing of time alone may change anything between `now` and `at`.
    fn may_change_by(&self, at: Tick, now: Moment) -> bool {
        let lease = self.book().and_then(|book| book.next_due());
        lease.is_some_and(|due| due <= at)
            || self.queues().is_some_and(|queues| queues.may_be_due(at))
            || self.meters.iter().any(|meter| meter.may_change_by(at, now))
    }

    /// A meter and what the demands up to `index` ask of it, `None` where there is none or no sum.
    #[inline]
    pub(crate) fn asked(&self, demands: &[(u8, u64)], index: usize) -> Option<(&Meter, u64)> {
        let (meter, mut amount) = demands[index];
        for &(other, more) in &demands[..index] {
            if other == meter {
                amount = amount.checked_add(more)?;
            }
        }
        Some((self.meters.get(usize::from(meter))?, amount))
    }

    /// The refusal of the demand at `index`.
    #[cold]
    pub(crate) fn refusal(
        &self,
        identity: &Identity,
        demands: &[(u8, u64)],
        index: usize,
        now: Moment,
        terms: Terms,
    ) -> Error {
        let (number, amount) = demands[index];
        if self.is_closed() {
            return identity.closed_denial(&self.meters, amount, now).into();
        }
        let Some(meter) = self.meters.get(usize::from(number)) else {
            return Invalid::policy("demands", "of meters that the account has").into();
        };
        let amount = self.asked(demands, index).map_or(u64::MAX, |(_, amount)| amount);
        let mut denied = Denied::by(meter, identity.code(), identity.denied_id(), amount, now);
        let cause = meter.cause(amount, terms);
        // Looked at all demands only where this one is held: most refusals are of what is spent.
        let held = match cause {
            Cause::Held => self.held(identity, demands, now, terms),
            _ => Held::Not(true),
        };
        (denied.cause, denied.retry_after) = match held {
            Held::For(wait) => (Cause::Held, wait),
            Held::Not(_) => (cause.unheld(), self.wait(identity, demands, now, terms)),
        };
        identity.complete(&mut denied, number);
        if denied.reason.is_none() && meter.admits(amount, terms) {
            denied.reason = Some(format!("{}: others are waiting for it", denied.message()));
        }
        denied.into()
    }
}

impl Account {
    /// The refusal of an amount for `meter` that no limit can hold.
    pub fn deny_overflow(&self, meter: u8) -> Error {
        let denied = self.read(|meters, now| {
            let meter = &meters[usize::from(meter)];
            let denied = Denied::by(meter, self.code(), self.identity().denied_id(), u64::MAX, now);
            Box::new(Denied { cause: Cause::TooLarge, ..*denied })
        });
        denied.map_or_else(|forked| forked, Error::Denied)
    }
}
