//! How an account with shared meters joins the supply of its core, and what the supply may ask it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::supplied::Supplied;
use crate::accounting::{Meter, Moment, Share};
use crate::ledger::account::Account;
use crate::ledger::error::Error;
use crate::ledger::supply::{Supply, SupplyMember, View};

impl Account {
    /// Joins the supply of its core, if it has one and a meter is shared.
    pub(crate) fn join(self: &Arc<Self>) {
        let Some(supply) = self.core().supply() else { return };
        // It fails only in a forked child, which makes its accounts anew.
        let shares = self.read(|meters, _| meters.iter().any(Meter::is_shared));
        if shares == Ok(true) && self.supplied_by(Arc::clone(supply)).is_ok() {
            let member: Arc<dyn SupplyMember> = Arc::clone(self) as _;
            supply.joined(&member);
        }
    }

    /// From now on `supply` brings the shares of its [shared](crate::Meter::shared) meters.
    pub fn supplied_by(&self, supply: Arc<dyn Supply>) -> Result<(), Error> {
        self.locked(|state, _| {
            let supplied = &mut state.rare_mut().supplied;
            if supplied.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.supply, &supply)) {
                let keeps = supply.keeps_bookings();
                let waiting = BTreeMap::new();
                *supplied = Some(Box::new(Supplied { supply, keeps, waiting }));
            }
        })
    }

    /// Replaces each meter by the one in `new`. Open leases keep what they hold. Charges for leases
    /// that ran out are part of the old counts, so they are forgotten.
    pub(crate) fn replace(
        self: &Arc<Self>,
        new: impl IntoIterator<Item = Meter>,
    ) -> Result<(), Error> {
        let replaced = self.locked(|state, step| {
            for (old, new) in state.meters.iter_mut().zip(new) {
                old.replace(new, step.now);
            }
            if let Some(entries) = state.entries_if_any() {
                entries.forget_expired();
            }
        });
        self.join();
        replaced
    }
}

impl SupplyMember for Account {
    fn read_meters(&self, read: &mut dyn FnMut(&[Meter], Moment)) -> Result<(), Error> {
        self.read(|meters, now| read(meters, now))
    }

    fn visit_limit(
        &self,
        limit: u128,
        act: &mut dyn FnMut(&View, &mut Share),
    ) -> Result<bool, Error> {
        self.visit(limit, act)
    }

    fn decides_again(&self) -> Result<(), Error> {
        self.decide_again()
    }
}
