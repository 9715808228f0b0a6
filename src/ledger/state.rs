//! What an account's lock guards: its meters and its leases.

use smallvec::SmallVec;

use super::account::Account;
use super::core::Unsettled;
use super::error::Error;
use super::event::{Event, EventKind, Outbox};
use super::lease_book::{Entry, Expiry, HeldMeter, LeaseBook};
use crate::accounting::{Denied, Meter, Moment, Usage};

/// What an account's lock guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) meters: SmallVec<[Meter; 2]>,
    pub(crate) book: Option<Box<LeaseBook>>,
    /// The account takes no more requests; open leases still end.
    pub(crate) closed: bool,
}

impl State {
    /// Brings the account to `now`: leases that are due end, each at its deadline, and windows
    /// that are over make room for the next.
    #[inline]
    pub(crate) fn touch(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        if let Some(book) = &self.book
            && book.next_due().is_some_and(|due| due <= now.tick)
        {
            self.expire_due(account, now, outbox);
        }
        self.roll(now);
    }

    #[inline]
    fn roll(&mut self, now: Moment) {
        for meter in &mut self.meters {
            meter.roll(now);
        }
    }

    #[cold]
    fn expire_due(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        while let Some((slot, deadline)) = self.book.as_mut().and_then(|b| b.pop_due(now.tick)) {
            let then = now.back_to(deadline);
            self.roll(then);
            self.expire(slot, account, then, outbox);
        }
    }

    /// Refuses what does not fit; changes nothing. `soft` limits never refuse unless asked to.
    #[inline]
    pub(crate) fn decide(
        &self,
        account: &Account,
        demands: &[(u8, u64)],
        now: Moment,
        soft_admits: bool,
    ) -> Result<(), Error> {
        if self.closed {
            let asked = demands.first().map_or(0, |demand| demand.1);
            return Err(account.closed_denial(&self.meters, asked, now).into());
        }
        for &(index, amount) in demands {
            let meter = &self.meters[usize::from(index)];
            let fits = if soft_admits {
                meter.admits(amount)
            } else {
                meter.fits(amount)
            };
            if !fits {
                let denied = Denied::by(meter, account.code(), account.denied_id(), amount, now);
                return Err(denied.into());
            }
        }
        Ok(())
    }

    /// Books `demands`, which [`decide`](Self::decide) has admitted.
    #[inline]
    pub(crate) fn charge(
        &mut self,
        account: &Account,
        demands: &[(u8, u64)],
        now: Moment,
        outbox: &mut Outbox,
    ) {
        for &(index, amount) in demands {
            self.meters[usize::from(index)].charge(amount);
        }
        if account.core().listening() {
            let amounts = demands
                .iter()
                .map(|&(i, n)| (self.meters[usize::from(i)].unit(), n));
            outbox.push(
                account.core(),
                event(EventKind::Charged, account, None, amounts.collect(), now),
            );
        }
        self.warn(account, now, outbox);
    }

    /// Opens the lease `entry` over `demands`, which [`decide`](Self::decide) has admitted.
    #[inline]
    pub(crate) fn open(
        &mut self,
        account: &Account,
        demands: &[(u8, u64)],
        mut entry: Entry,
        now: Moment,
        outbox: &mut Outbox,
    ) {
        for &(meter, amount) in demands {
            let hold = self.meters[usize::from(meter)].reserve(amount);
            entry.holds.push(HeldMeter { meter, hold });
        }
        if account.core().listening() {
            outbox.push(
                account.core(),
                self.held_event(EventKind::Reserved, account, &entry, now),
            );
        }
        self.book_mut().insert(entry);
    }

    /// Ends a lease that has run out or was dropped, provisionally.
    #[cold]
    pub(crate) fn expire(
        &mut self,
        slot: usize,
        account: &Account,
        now: Moment,
        outbox: &mut Outbox,
    ) {
        let charged = account.core().policy().unsettled == Unsettled::Charge;
        let Self {
            meters,
            book: Some(book),
            ..
        } = self
        else {
            return;
        };
        let Some(entry) = book.get_mut(slot).filter(|entry| entry.expiry.is_none()) else {
            return;
        };
        let end = |held: &HeldMeter| meters[usize::from(held.meter)].expire(&held.hold, charged);
        let covered = entry.holds.iter().map(end).collect();
        entry.expiry = Some(Box::new(Expiry {
            at: now.tick,
            charged,
            covered,
        }));
        let estimate = entry.estimate;
        if charged {
            book.committed = book.committed.saturating_add(&estimate);
        }
        if account.core().listening()
            && let Some(entry) = self.entry(slot)
        {
            outbox.push(
                account.core(),
                self.held_event(EventKind::Expired, account, entry, now),
            );
        }
        self.warn(account, now, outbox);
    }

    /// Ends a lease with `usage`. After an expiry this replaces what the expiry charged.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        slot: usize,
        usage: &Usage,
        account: &Account,
        now: Moment,
        outbox: &mut Outbox,
    ) {
        let Self {
            meters,
            book: Some(book),
            ..
        } = self
        else {
            return;
        };
        let Some(entry) = book.remove(slot) else {
            return;
        };
        for (index, held) in entry.holds.iter().enumerate() {
            let meter = &mut meters[usize::from(held.meter)];
            let actual = entry.actual(meter.unit(), held.hold.amount, usage);
            match &entry.expiry {
                None => meter.commit(&held.hold, actual),
                Some(end) => meter.recommit(&held.hold, end.covered[index], end.at, actual),
            }
        }
        if entry.expiry.as_ref().is_some_and(|expiry| expiry.charged) {
            book.committed = book.committed.saturating_sub(&entry.estimate);
        }
        book.committed = book.committed.saturating_add(usage);
        if account.core().listening() {
            let amounts = entry.holds.iter().map(|held| {
                let unit = meters[usize::from(held.meter)].unit();
                (unit, entry.actual(unit, held.hold.amount, usage))
            });
            let lease = Some(entry.id);
            let told = event(EventKind::Committed, account, lease, amounts.collect(), now);
            outbox.push(account.core(), told);
        }
        self.warn(account, now, outbox);
    }

    /// Ends an open lease and books nothing.
    pub(crate) fn release(
        &mut self,
        slot: usize,
        account: &Account,
        now: Moment,
        outbox: &mut Outbox,
    ) {
        let Self {
            meters,
            book: Some(book),
            ..
        } = self
        else {
            return;
        };
        let Some(entry) = book.remove(slot) else {
            return;
        };
        for held in &entry.holds {
            meters[usize::from(held.meter)].release(&held.hold);
        }
        if account.core().listening() {
            outbox.push(
                account.core(),
                self.held_event(EventKind::Released, account, &entry, now),
            );
        }
    }

    pub(crate) fn entry(&self, slot: usize) -> Option<&Entry> {
        self.book.as_ref()?.get(slot)
    }

    #[inline]
    pub(crate) fn book_mut(&mut self) -> &mut LeaseBook {
        self.book.get_or_insert_default()
    }

    #[inline]
    fn warn(&mut self, account: &Account, now: Moment, outbox: &mut Outbox) {
        for meter in &mut self.meters {
            if meter.take_warning() && account.core().listening() {
                let amounts = SmallVec::from_iter([(meter.unit(), meter.used())]);
                outbox.push(
                    account.core(),
                    event(EventKind::Warned, account, None, amounts, now),
                );
            }
        }
    }

    fn held_event(&self, kind: EventKind, account: &Account, entry: &Entry, now: Moment) -> Event {
        let unit = |held: &HeldMeter| self.meters[usize::from(held.meter)].unit();
        let amounts = entry
            .holds
            .iter()
            .map(|held| (unit(held), held.hold.amount));
        event(kind, account, Some(entry.id), amounts.collect(), now)
    }
}

pub(crate) fn event(
    kind: EventKind,
    account: &Account,
    lease: Option<u64>,
    amounts: SmallVec<[(crate::accounting::Unit, u64); 2]>,
    now: Moment,
) -> Event {
    Event {
        kind,
        key: account.key().clone(),
        lease,
        amounts,
        tick: now.tick,
    }
}
