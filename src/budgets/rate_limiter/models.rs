//! What a limiter hears of each model: an account for each, which only the calls of that model ask.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use parking_lot::Mutex;

use crate::accounting::{Code, Denied, Invalid, Key, Meter, undated};
use crate::ledger::{Account, Core, Error, Heir, Heritable, MeterIndex, Silent, fork_generation};

/// From so many accounts on, those that say nothing any more are looked for.
const FEW: usize = 64;

/// The accounts of models.
#[derive(Debug)]
pub(super) struct Models {
    generation: u64,
    accounts: Mutex<ModelAccounts>,
    heir: Heir<Self>,
}

impl Default for Models {
    fn default() -> Self {
        Self { generation: fork_generation(), accounts: Mutex::default(), heir: Heir::new() }
    }
}

/// A child hears anew what its provider says.
impl Heritable for Models {
    fn made_in(&self) -> u64 {
        self.generation
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        Some(&self.heir)
    }

    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        Ok(Arc::default())
    }
}

#[derive(Debug, Default)]
struct ModelAccounts {
    by_model: HashMap<CompactString, Arc<Account>>,
    /// How many were left when they were looked through last.
    left: usize,
}

impl Models {
    /// The account of a model. A model with a date in its name has that of the model without one.
    pub(super) fn account(
        &self,
        model: &str,
        core: &Arc<Core>,
        meter: impl FnOnce() -> Result<Meter, Invalid>,
    ) -> Result<Arc<Account>, Error> {
        let key = Key::parse("model", model)?;
        let model = undated(key.as_str());
        let mut accounts = self.accounts.lock();
        if let Some(known) = accounts.by_model.get(model) {
            return Ok(Arc::clone(known));
        }
        accounts.forget();
        let name = model.to_owned();
        let naming = move |denied: &mut Denied, _: MeterIndex| {
            denied.scope = vec![("model".to_owned(), name.clone())];
        };
        let (key, code) = (Key::fixed("limiter"), Code::RateLimitExceeded);
        let account = Account::named(core, key, code, [meter()?], Arc::new(naming));
        accounts.by_model.insert(CompactString::new(model), Arc::clone(&account));
        Ok(account)
    }
}

impl ModelAccounts {
    /// Forgets the accounts that nobody holds and that have nothing to say, once there are twice as
    /// many as after the last time.
    fn forget(&mut self) {
        if self.by_model.len() >= FEW.max(2 * self.left) {
            self.by_model
                .retain(|_, one| Arc::strong_count(one) > 1 || one.silent() != Silent::Now);
            self.left = self.by_model.len();
        }
    }
}
