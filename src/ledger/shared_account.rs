//! What an account of a store is to others: a member of its supply, and the parent of the account that a
//! forked child has instead.

use std::fmt;
use std::sync::Arc;

use crate::accounting::{Meter, Moment, Share};
use crate::ledger::account::Account;
use crate::ledger::account_id::AccountId;
use crate::ledger::core::Core;
use crate::ledger::error::Error;
use crate::ledger::fork::heir::{Heir, Heritable};
use crate::ledger::supply::{SupplyMember, View};

/// How a forked child makes an account anew. It is kept in the core of the account.
struct Recipe {
    /// The account. Others of the core have no heir.
    of: AccountId,
    make: Box<dyn Fn() -> Result<Arc<Account>, Error> + Send + Sync>,
    heir: Heir<Account>,
}

impl Account {
    /// From now on `make` makes the account anew in a forked child. It locks nothing of the parent.
    /// Handles of one account are made in one way, so the first one counts.
    pub fn made_anew_by(
        &self,
        make: impl Fn() -> Result<Arc<Self>, Error> + Send + Sync + 'static,
    ) {
        let recipe = Recipe { of: self.id(), make: Box::new(make), heir: Heir::new() };
        let _ = self.core().recipe.set(Box::new(Box::new(recipe)));
    }

    /// Decides again what waits: the store is away, or back.
    pub fn decide_again(&self) -> Result<(), Error> {
        self.refresh()
    }

    fn recipe(&self) -> Option<&Recipe> {
        Recipe::of(self.core()).filter(|recipe| recipe.of == self.id())
    }
}

impl Recipe {
    fn of(core: &Core) -> Option<&Self> {
        (**core.recipe.get()?).downcast_ref()
    }
}

impl Heritable for Account {
    #[inline]
    fn made_in(&self) -> u64 {
        self.core().generation()
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        self.recipe().map(|recipe| &recipe.heir)
    }

    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let heir = (self.recipe().ok_or(Error::Forked)?.make)()?;
        heir.core().take_listeners(self.core());
        Ok(heir)
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
        self.refresh()
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").field("heir", &self.heir).finish_non_exhaustive()
    }
}
