//! Whether a request passes, and when it could: nothing is changed here but the time.

use std::time::Duration;

use super::account::Account;
use super::core::Unsettled;
use super::error::Error;
use super::event::Outbox;
use super::state::State;
use super::turn::NO_TICKET;
use crate::accounting::retry::Open;
use crate::accounting::{Denied, Invalid, Meter, Moment, Terms, Window};

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
        (0..demands.len()).find(|&index| {
            let passes = self.asked(demands, index).is_some_and(|(meter, amount)| {
                meter.admits(amount, terms)
                    && !self.is_behind(demands[index].0, amount, terms, ticket)
            });
            !passes || self.closed
        })
    }

    /// Refuses what does not pass; changes nothing but the time. What does not pass by a clock that
    /// lags is looked at by a precise one before it is refused.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        account: &Account,
        demands: &[(u8, u64)],
        now: &mut Moment,
        terms: Terms,
        outbox: &mut Outbox,
    ) -> Result<(), Error> {
        if self.refuses(demands, terms, NO_TICKET).is_none() {
            return Ok(());
        }
        if account.is_timed()
            && let Some(precisely) = account.precise_now()
        {
            *now = precisely;
            self.touch(account, precisely, outbox);
        }
        match self.refuses(demands, terms, NO_TICKET) {
            None => Ok(()),
            Some(index) => Err(self.refusal(account, demands, index, *now, terms)),
        }
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
        if self.closed {
            return account.closed_denial(&self.meters, amount, now).into();
        }
        let Some(meter) = self.meters.get(usize::from(number)) else {
            return Invalid::policy("demands", "of meters that the account has").into();
        };
        let amount = self.asked(demands, index).map_or(u64::MAX, |(_, amount)| amount);
        let mut denied = Denied::by(meter, account.code(), account.denied_id(), amount, now);
        denied.retry_after = self.wait(account, demands, now, terms);
        denied.reason = account.reason(number);
        if denied.reason.is_none() && meter.admits(amount, terms) {
            denied.reason = Some(format!("{}: others are waiting for it", denied.message()));
        }
        denied.into()
    }

    /// When all of `demands` could pass: the latest of their meters, `None` for never.
    pub(crate) fn wait(
        &self,
        account: &Account,
        demands: &[(u8, u64)],
        now: Moment,
        terms: Terms,
    ) -> Option<Duration> {
        if self.closed {
            return None;
        }
        let mut wait = Duration::ZERO;
        for (index, &(number, _)) in demands.iter().enumerate() {
            let (meter, amount) = self.asked(demands, index)?;
            let behind = self.is_behind(number, amount, terms, NO_TICKET);
            if behind || !meter.admits(amount, terms) {
                let open = || self.open_holds(number, account);
                wait = wait.max(self.retry_behind(number, amount, terms, open, now)?);
            }
        }
        Some(wait)
    }

    /// When `amount` could pass, after those who wait for the meter already.
    fn retry_behind(
        &self,
        number: u8,
        amount: u64,
        terms: Terms,
        open: impl Fn() -> Vec<Open>,
        now: Moment,
    ) -> Option<Duration> {
        let meter = &self.meters[usize::from(number)];
        let ahead = self.queues.as_ref().map_or(0, |queues| queues.asked(number));
        let all = u128::from(amount) + ahead;
        let ceiling = u128::from(meter.ceiling().max(1));
        let first = u64::try_from(all.min(ceiling)).unwrap_or(u64::MAX).max(amount);
        let wait = meter.retry_in(first, terms, open, now)?;
        // Each window lets through one ceiling at most.
        let windows = u32::try_from((all.saturating_sub(1)) / ceiling).unwrap_or(u32::MAX);
        let period = meter.window().period().unwrap_or_default();
        Some(wait.saturating_add(period.saturating_mul(windows)))
    }

    fn open_holds(&self, number: u8, account: &Account) -> Vec<Open> {
        let meter = &self.meters[usize::from(number)];
        let gauge = matches!(meter.window(), Window::Gauge);
        let charged = !gauge && account.core().policy().unsettled == Unsettled::Charge;
        let entries = self.book.iter().flat_map(|book| book.open());
        let holds = entries.flat_map(|(_, entry)| {
            let of_meter = entry.holds.iter().filter(|held| held.meter == number);
            of_meter.filter(|held| meter.counts(&held.hold)).map(|held| Open {
                deadline: entry.deadline,
                amount: held.hold.amount,
                charged,
            })
        });
        let slots = self.queues.iter().flat_map(|queues| queues.slots());
        let slots = slots.filter(|slot| slot.meter == number && meter.counts(&slot.hold));
        let slots = slots.map(|slot| Open {
            deadline: slot.deadline,
            amount: slot.hold.amount,
            charged: false,
        });
        holds.chain(slots).collect()
    }
}
