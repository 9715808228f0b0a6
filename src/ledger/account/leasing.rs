//! How a lease opens, runs out and ends in one account.

use std::sync::Weak;
use std::time::Duration;

use smallvec::SmallVec;

use super::entries::{BoxedFields, Entry, Expiry, HeldMeter};
use super::identity::Step;
use super::state::{State, warn};
use super::telling::Happened;
use crate::accounting::{Meter, Tick, Usage};
use crate::ledger::claim::{Claim, Demand, Request};
use crate::ledger::core::Core;
use crate::ledger::core::event::EventKind;
use crate::ledger::core::policy::Unsettled;
use crate::ledger::core::sweep::Swept;

/// A lease to open in an account.
pub(crate) struct NewLease<'a> {
    pub(crate) id: u64,
    pub(crate) ttl: Duration,
    pub(crate) request: &'a Request,
}

impl State {
    /// Opens a lease over this account alone, for a claim that [`refuses`](Self::refuses) let pass.
    /// Returns the number of the lease and its entry.
    #[inline]
    pub(crate) fn open_alone(
        &mut self,
        claim: Claim<'_>,
        request: &Request,
        account: impl FnOnce() -> Weak<dyn Swept>,
        step: &mut Step<'_>,
    ) -> (u64, usize) {
        let id = self.entries_mut().number();
        let ttl = request.ttl.unwrap_or_else(|| step.identity.core().policy().lease_ttl);
        (id, self.open(claim, &NewLease { id, ttl, request }, account, step))
    }

    /// Opens the entry of a lease in this account. `account` is for the sweep. Returns the entry.
    #[inline]
    pub(crate) fn open(
        &mut self,
        claim: Claim<'_>,
        lease: &NewLease<'_>,
        account: impl FnOnce() -> Weak<dyn Swept>,
        step: &mut Step<'_>,
    ) -> usize {
        let deadline = step.now.tick.plus(lease.ttl);
        let entry = self.insert(claim, lease, deadline);
        if step.hears(EventKind::Reserved)
            && let Some(opened) = self.entry(entry)
        {
            tell_held(EventKind::Reserved, opened, &self.meters, step);
        }
        if !lease.request.stays {
            self.due_at(deadline, step.identity.core(), account);
        }
        entry
    }

    #[inline]
    fn insert(&mut self, claim: Claim<'_>, lease: &NewLease<'_>, deadline: Tick) -> usize {
        let Self { meters, rare } = self;
        let mut holds: SmallVec<[HeldMeter; 2]> = SmallVec::new();
        for &Demand { meter, amount } in claim.demands {
            meters[usize::from(meter)].start(amount);
            let hold = meters[usize::from(meter)].reserve(amount);
            match holds.iter_mut().find(|held: &&mut HeldMeter| held.meter == meter) {
                None => holds.push(HeldMeter { meter, hold }),
                Some(same) => same.hold.amount += hold.amount,
            }
        }
        // Built in place: copying an entry costs a tenth of a reservation.
        let (entries, request) = (&mut rare.get_or_insert_default().entries, lease.request);
        let order = entries.next_order();
        entries.insert(
            request.stays,
            Entry {
                id: lease.id,
                order,
                handles: 1,
                multiplier: claim.multiplier,
                deadline,
                holds,
                expiry: None,
                end: None,
                whole: None,
                boxed: BoxedFields::of(request, &claim),
                // Last, because nothing after it can fail.
                estimate: request.estimate.clone(),
            },
        )
    }

    /// Notes that a lease is due at `deadline`, and queues `account` (this one) for the sweep.
    #[inline]
    pub(crate) fn due_at(
        &mut self,
        deadline: Tick,
        core: &Core,
        account: impl FnOnce() -> Weak<dyn Swept>,
    ) {
        if self.entries_mut().is_news(deadline) {
            core.sweep.add(deadline, account());
        }
    }

    #[cold]
    pub(crate) fn expire_due(&mut self, step: &mut Step<'_>) {
        while let Some((index, deadline)) =
            self.entries_if_any().and_then(|b| b.pop_due(step.now.tick))
        {
            let then = step.now.back_to(deadline);
            self.roll(then);
            self.expire(index, &mut step.at(then));
        }
    }

    /// Ends a lease that has run out or was dropped. A later commit may still replace the charge.
    #[cold]
    pub(crate) fn expire(&mut self, index: usize, step: &mut Step<'_>) {
        let charged = step.identity.core().policy().unsettled == Unsettled::Charge;
        let Self { meters, rare: Some(rare) } = self else { return };
        let entries = &mut rare.entries;
        let Some(entry) = entries.get_mut(index).filter(|entry| entry.is_open()) else {
            return;
        };
        let now = step.now;
        let mut holds = SmallVec::new();
        for held in &entry.holds {
            holds.push(meters[usize::from(held.meter)].expire(&held.hold, charged, now));
        }
        entry.expiry = Some(Box::new(Expiry { charged, holds }));
        if charged {
            entries.record_estimate(index);
        }
        let Some(entry) = entries.get(index) else { return };
        if step.hears(EventKind::Expired) {
            tell_held(EventKind::Expired, entry, meters, step);
        }
        warn(meters, || Happened::to(EventKind::Warned, entry), step);
    }

    /// Ends a lease for good, with `usage` or without. This replaces what its expiry charged. Its
    /// entry stays.
    #[inline]
    pub(crate) fn finish(&mut self, index: usize, usage: Option<&Usage>, step: &mut Step<'_>) {
        let Self { meters, rare: Some(rare) } = self else { return };
        let entries = &mut rare.entries;
        let Some(entry) = entries.get(index) else { return };
        match usage {
            Some(usage) => commit(entry, usage, meters),
            None => release(entry, meters),
        }
        let kind = if usage.is_some() { EventKind::Committed } else { EventKind::Released };
        if step.hears(kind) {
            tell_ended(kind, entry, usage, meters, step);
        }
        warn(meters, || Happened::to(EventKind::Warned, entry), step);
        if entry.expiry.as_ref().is_some_and(|expiry| expiry.charged) {
            entries.take_estimate_back(index);
        }
        if let Some(usage) = usage {
            entries.committed.add(usage);
        }
    }

    /// Whether the lease at `index` holds an amount of requests, such as calls or steps.
    pub(crate) fn holds_requests(&self, index: usize) -> bool {
        let counts_requests =
            |held: &HeldMeter| self.meters[usize::from(held.meter)].unit().counts_requests();
        self.entry(index).is_some_and(|entry| entry.holds.iter().any(counts_requests))
    }

    /// Drops a handle of the lease. The last handle ends the lease if it is open.
    #[inline]
    pub(crate) fn drop_handle(&mut self, index: usize, step: &mut Step<'_>) {
        let Some(entry) = self.entries_if_any().and_then(|entries| entries.get_mut(index)) else {
            return;
        };
        entry.handles -= 1;
        if entry.handles > 0 {
            return;
        }
        if entry.is_open() {
            self.expire(index, step);
        }
        self.entries_mut().remove(index);
    }
}

#[cold]
fn tell_held(kind: EventKind, entry: &Entry, meters: &[Meter], step: &mut Step<'_>) {
    let amounts = entry.holds.iter().map(|held| (held.meter, held.hold.amount));
    step.tell(Happened::to(kind, entry), meters, amounts);
}

/// Ends the holds of a lease with its usage.
#[inline]
fn commit(entry: &Entry, usage: &Usage, meters: &mut [Meter]) {
    for (index, held) in entry.holds.iter().enumerate() {
        let meter = &mut meters[usize::from(held.meter)];
        let actual = entry.actual(meter.unit(), held.hold.amount, usage);
        match &entry.expiry {
            None => {
                meter.commit(&held.hold, actual);
            }
            Some(end) => meter.recommit(&held.hold, &end.holds[index], actual),
        }
    }
}

/// Ends the holds of a lease that used nothing.
#[inline]
fn release(entry: &Entry, meters: &mut [Meter]) {
    for (index, held) in entry.holds.iter().enumerate() {
        let meter = &mut meters[usize::from(held.meter)];
        match &entry.expiry {
            None => meter.release(&held.hold),
            Some(end) => meter.recommit(&held.hold, &end.holds[index], 0),
        }
    }
}

#[cold]
fn tell_ended(
    kind: EventKind,
    entry: &Entry,
    usage: Option<&Usage>,
    meters: &[Meter],
    step: &mut Step<'_>,
) {
    let amount = |held: &HeldMeter| {
        let unit = meters[usize::from(held.meter)].unit();
        let amount = usage.map_or(held.hold.amount, |u| entry.actual(unit, held.hold.amount, u));
        (held.meter, amount)
    };
    step.tell(Happened::to(kind, entry), meters, entry.holds.iter().map(amount));
}
