//! When a refused request could pass, after the waits that are queued already.

use std::time::Duration;

use super::held::Held;
use super::identity::Identity;
use super::state::State;
use crate::accounting::{Cause, Moment, Open, Terms, Window};
use crate::ledger::core::policy::Unsettled;
use crate::ledger::queue::turn::NO_TICKET;

impl State {
    /// When all of `demands` could pass: the latest time of their meters, or `None` for never.
    pub(crate) fn wait(
        &self,
        identity: &Identity,
        demands: &[(u8, u64)],
        now: Moment,
        terms: Terms,
    ) -> Option<Duration> {
        if self.is_closed() {
            return None;
        }
        let mut wait = Duration::ZERO;
        for (index, &(number, _)) in demands.iter().enumerate() {
            let (meter, amount) = self.asked(demands, index)?;
            let behind = self.is_behind(number, amount, terms, NO_TICKET);
            if behind || !meter.admits(amount, terms) {
                let open = || self.open_holds(number, identity, now);
                wait = wait.max(self.retry_behind(number, amount, terms, open, now)?);
            }
        }
        Some(wait)
    }

    /// Whether all of `demands` would pass once open leases have ended, and when that is.
    /// `Held::For(None)` if these leases never run out.
    pub(crate) fn held(
        &self,
        identity: &Identity,
        demands: &[(u8, u64)],
        now: Moment,
        terms: Terms,
    ) -> Held {
        let mut found = Held::Not(false);
        for (index, &(number, _)) in demands.iter().enumerate() {
            let Some((meter, amount)) = self.asked(demands, index) else { return Held::Not(true) };
            let behind = self.is_behind(number, amount, terms, NO_TICKET);
            if behind || self.is_closed() {
                return Held::Not(true);
            }
            if meter.admits(amount, terms) {
                continue;
            }
            if meter.cause(amount, terms) != Cause::Held {
                return Held::Not(true);
            }
            let open = self.open_holds(number, identity, now);
            found = found.and(Held::For(meter.held_for(amount, terms, open, now)));
        }
        found
    }

    /// When `amount` could pass, after the waits on the meter.
    fn retry_behind(
        &self,
        number: u8,
        amount: u64,
        terms: Terms,
        open: impl Fn() -> Vec<Open>,
        now: Moment,
    ) -> Option<Duration> {
        let meter = &self.meters[usize::from(number)];
        let ahead = self.queues().map_or(0, |queues| queues.asked(number));
        let all = u128::from(amount) + ahead;
        let ceiling = u128::from(meter.ceiling().max(1));
        let first = u64::try_from(all.min(ceiling)).unwrap_or(u64::MAX).max(amount);
        let wait = meter.retry_in(first, terms, open, now)?;
        // Each window lets at most one ceiling through.
        let windows = u32::try_from((all.saturating_sub(1)) / ceiling).unwrap_or(u32::MAX);
        let period = meter.window().period().unwrap_or_default();
        Some(wait.saturating_add(period.saturating_mul(windows)))
    }

    fn open_holds(&self, number: u8, identity: &Identity, now: Moment) -> Vec<Open> {
        let meter = &self.meters[usize::from(number)];
        let gauge = matches!(meter.window(), Window::Gauge);
        let charged = !gauge && identity.core().policy().unsettled == Unsettled::Charge;
        // Leases open beyond their deadline stay open for an unknown time.
        let entries = self.entries().into_iter().flat_map(|entries| entries.open());
        let entries = entries.filter(|(_, entry)| entry.deadline > now.tick);
        let holds = entries.flat_map(|(_, entry)| {
            let own = entry.holds.iter().filter(|held| held.meter == number);
            own.filter(|held| meter.counts(&held.hold)).map(|held| Open {
                deadline: entry.deadline,
                amount: held.hold.amount,
                charged,
            })
        });
        let admissions = self.queues().into_iter().flat_map(|queues| queues.admissions.iter());
        let admissions = admissions
            .filter(|admission| admission.meter == number && meter.counts(&admission.hold));
        let admissions = admissions.map(|admission| Open {
            deadline: admission.deadline,
            amount: admission.hold.amount,
            charged: false,
        });
        holds.chain(admissions).collect()
    }
}
