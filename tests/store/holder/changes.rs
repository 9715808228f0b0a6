//! What a holder is told beside calls: usage that has happened, limits that are set, leases that end.

use outlay::store::LimitId;
use outlay::{Actual, Changes, Demand, Limit, Meter, Moment, Unit, Usage};

use super::lease::Lease;
use super::{Holder, micros};
use crate::auditor::Auditor;

impl Holder {
    /// Books what has happened already.
    pub(crate) fn record(&mut self, limit: usize, amount: u64, auditor: &mut Auditor) {
        let id = self.id().0;
        let local = &self.inner.locals[limit];
        let account = &self.inner.accounts[local.account];
        account.record(&[Demand::new(local.meter, amount)]).unwrap();
        self.inner.next.set(None);
        // An older request may wait for this limit now, and let others pass on its other ones.
        self.inner.collect();
        self.inner.used(id, limit, amount, auditor);
    }

    /// The owner of the accounts resets a limit, or sets it.
    pub(crate) fn change(&mut self, limit: usize, most: Option<u64>) {
        let local = &self.inner.locals[limit];
        let (account, at) = (&self.inner.accounts[local.account], usize::from(local.meter));
        let change = |meters: &mut [Meter], now: Moment| match most {
            None => meters[at].reset(now),
            Some(most) => meters[at].set_limit(&Limit::new(Unit::Tokens, Some(most))),
        };
        account.adjust(change).unwrap();
        self.inner.next.set(None);
        self.inner.collect();
        let now = self.inner.clock.tick();
        let changes = std::mem::take(&mut *self.inner.link.changes.lock());
        for (limit, Changes { reset, most }) in changes {
            if reset {
                self.supply.reset(LimitId(limit), &mut self.inner);
            }
            if let Some(most) = most {
                self.supply.set_limit(LimitId(limit), most, now);
            }
        }
    }

    /// Its process ends in order: it begins nothing more, and says what it has.
    pub(crate) fn go(&mut self) {
        self.goes = true;
        self.supply.go();
    }

    /// Ends a lease. `tenths` of its estimates were used.
    pub(crate) fn end(&mut self, at: usize, tenths: u64, auditor: &mut Auditor) {
        let id = self.id().0;
        let Lease { number, lease, demands, .. } = self.inner.leases.swap_remove(at);
        let share = |amount: u64| amount * tenths / 10;
        let actual = Usage::tokens(demands.first().map_or(0, |(_, amount)| share(*amount)));
        lease.commit(Actual::Usage(actual)).unwrap();
        self.inner.next.set(None);
        let mut used = Vec::with_capacity(demands.len());
        for &(limit, amount) in &demands {
            let gauge = self.inner.locals[limit].gauge;
            let actual = if gauge { amount } else { share(amount) };
            used.push(actual.min(amount));
            self.inner.used(id, limit, actual.saturating_sub(amount), auditor);
        }
        auditor.end(number, &used, micros(self.inner.clock.tick()));
        self.inner.collect();
    }
}
