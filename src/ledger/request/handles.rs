//! The handles of a lease: how they are counted, copied and dropped.

use std::any::Any;
use std::sync::Arc;

use super::lease::Lease;
use super::locked::{Locked, with_locked};
use super::places::{AllPlaces, Place, Places};
use crate::ledger::account::Account;
use crate::ledger::account::entries::Entry;
use crate::ledger::ending::End;
use crate::ledger::error::Error;
use crate::ledger::fork::heir::Heritable;

/// Links the entries of a lease over several accounts, under all their locks.
pub(crate) fn join_entries(places: &Places, locked: &mut [Locked<'_>]) {
    let Places::Many(whole) = places else { return };
    for (place, at) in places.iter().zip(locked) {
        if let Some(entry) = at.state.entry_mut(place.entry) {
            let whole: Arc<dyn Any + Send + Sync> = Arc::clone(whole) as _;
            entry.whole = Some(whole);
        }
    }
}

/// The places of the lease that `entry` belongs to. `alone` is the place of the entry itself.
fn places_of(entry: &Entry, alone: Place) -> Places {
    let whole = entry.whole.clone().and_then(|whole| whole.downcast::<AllPlaces>().ok());
    whole.map_or(Places::One(alone), Places::Many)
}

impl Account {
    /// The open leases, oldest first.
    pub fn open_leases(self: &Arc<Self>) -> Result<Vec<Lease>, Error> {
        let here = self.here_shared()?;
        let open = here.locked(|state, _| {
            let entries = state.entries().into_iter();
            let open = entries.flat_map(|entries| entries.open());
            let mut open: Vec<_> = open
                .map(|(index, entry)| {
                    let alone = Place { account: Arc::clone(here), entry: index };
                    (entry.order, entry.id, places_of(entry, alone))
                })
                .collect();
            open.sort_by_key(|(order, ..)| *order);
            open
        })?;
        // Each handle is made under the locks of all accounts of its lease.
        let attach = |(_, id, places)| attach(id, places, Entry::is_open);
        Ok(open.into_iter().filter_map(attach).collect())
    }
}

/// Makes one more handle of the lease with that number, if it still exists and is `wanted`.
fn attach(id: u64, places: Places, wanted: impl Fn(&Entry) -> bool) -> Option<Lease> {
    let accounts = places.iter().map(|place| &*place.account);
    let found = with_locked(accounts, |locked, _| {
        let mut found = None;
        for (place, at) in places.iter().zip(locked.iter()) {
            let entry = at.state.entry(place.entry).filter(|e| e.id == id && wanted(e))?;
            let cap = entry.boxed.as_ref().map(|boxed| boxed.request_budget);
            found = Some((entry.estimate.clone(), cap.unwrap_or_default()));
        }
        for (place, at) in places.iter().zip(locked) {
            if let Some(entry) = at.state.entry_mut(place.entry) {
                entry.handles += 1;
            }
        }
        found
    });
    let (estimate, request_budget) = found.ok()??;
    Some(Lease::new(id, estimate, &request_budget, places))
}

impl Clone for Lease {
    /// Makes one more handle of the same lease.
    fn clone(&self) -> Self {
        attach(self.id(), self.places().clone(), |_| true).unwrap_or_else(|| {
            // The lease has ended and this handle was alone. Or this is a forked child, where no
            // handle does anything.
            let places = self.places().clone();
            let copy =
                Self::new(self.id(), self.estimate().clone(), &self.request_budget(), places);
            copy.end().set(self.end().get().unwrap_or(End::Released).committed());
            copy
        })
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        if !self.end().is_set() {
            // In a forked child this fails: the lease still belongs to the parent.
            let _ = self.locked(|locked, outbox| {
                for (place, at) in self.places().iter().zip(locked) {
                    let (state, mut step) = at.step(outbox);
                    state.drop_handle(place.entry, &mut step);
                }
            });
        }
        self.ended(());
    }
}
