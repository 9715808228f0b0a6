//! Whether a request passes: nothing is changed here but the time.

use super::account::Account;
use super::error::Error;
use super::event::Outbox;
use super::held::Held;
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
        account: &Account,
        demands: &[(u8, u64)],
        now: &mut Moment,
        terms: Terms,
        outbox: &mut Outbox,
    ) -> Result<(), Error> {
        match self.first_refused(account, demands, now, terms, outbox) {
            None => Ok(()),
            Some(index) => Err(self.refusal(account, demands, index, *now, terms)),
        }
    }

    /// The first of `demands` that does not pass. What does not pass by a clock that lags is looked
    /// at by a precise one where that may make a difference.
    #[inline]
    pub(crate) fn first_refused(
        &mut self,
        account: &Account,
        demands: &[(u8, u64)],
        now: &mut Moment,
        terms: Terms,
        outbox: &mut Outbox,
    ) -> Option<usize> {
        let refused = self.refuses(demands, terms, NO_TICKET)?;
        self.refused_precisely(refused, account, demands, now, terms, outbox)
    }

    #[cold]
    fn refused_precisely(
        &mut self,
        refused: usize,
        account: &Account,
        demands: &[(u8, u64)],
        now: &mut Moment,
        terms: Terms,
        outbox: &mut Outbox,
    ) -> Option<usize> {
        let Some(precisely) = self.precise_now(account, *now) else { return Some(refused) };
        *now = precisely;
        self.touch(account, precisely, outbox);
        self.refuses(demands, terms, NO_TICKET)
    }

    /// The present by the precise clock, where more may be due by then than at `now`.
    #[cold]
    pub(crate) fn precise_now(&self, account: &Account, now: Moment) -> Option<Moment> {
        let latest = now.tick.plus(account.core().clock().lag());
        if latest == now.tick || !self.may_change_by(latest, now) {
            return None;
        }
        account.precise_now()
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
        account: &Account,
        demands: &[(u8, u64)],
        index: usize,
        now: Moment,
        terms: Terms,
    ) -> Error {
        let (number, amount) = demands[index];
        if self.is_closed() {
            return account.closed_denial(&self.meters, amount, now).into();
        }
        let Some(meter) = self.meters.get(usize::from(number)) else {
            return Invalid::policy("demands", "of meters that the account has").into();
        };
        let amount = self.asked(demands, index).map_or(u64::MAX, |(_, amount)| amount);
        let mut denied = Denied::by(meter, account.code(), account.denied_id(), amount, now);
        (denied.cause, denied.retry_after) = match self.held(account, demands, now, terms) {
            Held::For(wait) => (Cause::Held, wait),
            Held::Not(_) => {
                (meter.cause(amount, terms).unheld(), self.wait(account, demands, now, terms))
            }
        };
        account.name(&mut denied, number);
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
            let denied = Denied::by(meter, self.code(), self.denied_id(), u64::MAX, now);
            Box::new(Denied { cause: Cause::TooLarge, ..*denied })
        });
        denied.map_or_else(|forked| forked, Error::Denied)
    }
}
