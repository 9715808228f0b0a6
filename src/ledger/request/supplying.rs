//! An account whose limits several processes share, as its supply sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accounting::Share;
use crate::ledger::account::Account;
use crate::ledger::account::held::Supplied;
use crate::ledger::account::identity::Identity;
use crate::ledger::error::Error;
use crate::ledger::supply::{Supply, View};

impl Account {
    /// From now on `supply` brings the shares of its [shared](crate::Meter::shared) meters.
    pub fn supplied_by(&self, supply: Arc<dyn Supply>) -> Result<(), Error> {
        self.locked(|state, _| {
            let waiting = BTreeMap::new();
            state.rare_mut().supplied = Some(Box::new(Supplied { supply, waiting }));
        })
    }

    /// What brings the shares of its meters, if anything does.
    pub fn supply(&self) -> Result<Option<Arc<dyn Supply>>, Error> {
        self.locked(|state, _| state.supplied().map(|supplied| Arc::clone(&supplied.supply)))
    }

    /// Calls `act` with what the meter of a shared limit says, and with its share. Requests that
    /// wait are then served. Returns whether there is such a meter.
    pub fn visit(
        &self,
        limit: u128,
        act: &mut dyn FnMut(&View, &mut Share),
    ) -> Result<bool, Error> {
        self.locked_at(Identity::present, |state, step| {
            let found = state.meters.iter().position(|meter| meter.shared_limit() == Some(limit));
            let Some(at) = found else { return false };
            let view = state.view(at, step.identity, step.now);
            let meter = &mut state.meters[at];
            meter.visit_share(step.now, |share| act(&view, share));
            meter.take_most();
            // The answer may have said that the era is over.
            meter.roll(step.now);
            true
        })
    }

    /// Decides again what waits: the store is away, or back.
    pub fn decide_again(&self) -> Result<(), Error> {
        self.refresh()
    }
}
