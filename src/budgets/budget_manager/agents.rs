//! The agents of a manager: their accounts, and what a store says of their budgets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::kept::KeptBudget;
use super::limit::{BudgetLimit, change, limits, new_window};
use crate::accounting::{Clock, Code, Denied, Key, Limit, Tick, Window};
use crate::budgets::facts::{limits_of, look};
use crate::budgets::stored::{Stored, core};
use crate::ledger::{Account, Accounts, Core, Demand, Error, Heir, Heritable};
use crate::store::{LimitId, Store};

#[derive(Debug)]
pub(in crate::budgets) struct Agents {
    pub(in crate::budgets) core: Arc<Core>,
    pub(in crate::budgets) store: Option<Arc<Store>>,
    pub(in crate::budgets) accounts: Accounts,
    /// What the store said of budgets when it was last asked.
    pub(super) kept: Mutex<HashMap<Key, (KeptBudget, Tick)>>,
    /// Held from reading the accounts until the file is renamed, so that an older state never
    /// replaces a newer one.
    pub(in crate::budgets) persisting: Mutex<()>,
    heir: Heir<Self>,
}

/// The store has the budgets that were set.
impl Heritable for Agents {
    fn made_in(&self) -> u64 {
        self.core.generation()
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        Some(&self.heir)
    }

    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let store = Some(self.store.as_ref().ok_or(Error::Forked)?.present()?);
        let core = core(store.as_ref(), Clock::System, *self.core.policy())?;
        core.take_listeners(&self.core);
        Ok(Self::new(core, store))
    }
}

impl Agents {
    pub(super) fn new(core: Arc<Core>, store: Option<Arc<Store>>) -> Arc<Self> {
        let (accounts, kept) = (Accounts::default(), Mutex::default());
        let (persisting, heir) = (Mutex::new(()), Heir::new());
        Arc::new(Self { core, store, accounts, kept, persisting, heir })
    }

    /// An account of an agent with these limits. In a store: the one that there is already.
    pub(super) fn new_account(
        &self,
        key: &Key,
        limits: &[Limit; 2],
        window: &Window,
    ) -> Result<Arc<Account>, Error> {
        let (store, id) = (self.store.as_ref(), key.as_str());
        let stored = Stored { store, class: "BudgetManager", id, parts: &[] };
        let meters =
            limits.iter().map(|limit| stored.meter(limit.clone(), window.clone()).following());
        stored.account(meters.collect(), |meters| {
            Account::new(&self.core, key.clone(), Code::BudgetExceeded, meters)
        })
    }

    /// The account of the agent. A refusal shows `requested`.
    pub(super) fn account(&self, agent_id: &str, requested: u64) -> Result<Arc<Account>, Error> {
        let found = self.here()?.known(agent_id)?;
        found.ok_or_else(|| Denied::not_configured(agent_id, requested).into())
    }

    /// Charges one demand. What the store says of the budget is asked again before it is refused.
    pub(super) fn charge(&self, agent_id: &str, demand: Demand) -> Result<(), Error> {
        let agents = self.here()?;
        let refused = match agents.account(agent_id, demand.amount)?.charge(&[demand]) {
            Err(Error::Denied(denied)) if agents.store.is_some() => denied,
            other => return other,
        };
        let before = agents.kept.lock().get(agent_id).cloned();
        let asked = before.as_ref().map(|(_, at)| *at);
        if asked.is_some_and(|at| agents.core.clock().tick().since(at) < ASKED) {
            return Err(refused.into());
        }
        let Some(account) = agents.fresh(agent_id)? else {
            return Err(Denied::not_configured(agent_id, demand.amount).into());
        };
        let after = agents.kept.lock().get(agent_id).cloned();
        let same = before.map(|(budget, _)| budget) == after.map(|(budget, _)| budget);
        if same { Err(refused.into()) } else { account.charge(&[demand]) }
    }

    /// The account of an agent that has a budget, as far as this process knows; else as the store
    /// says.
    pub(super) fn known(&self, agent_id: &str) -> Result<Option<Arc<Account>>, Error> {
        match self.accounts.get(agent_id) {
            None if self.store.is_some() => self.fresh(agent_id),
            found => Ok(found),
        }
    }

    /// The account of an agent that has a budget, as the store says now. If it is away: as it said.
    pub(super) fn fresh(&self, agent_id: &str) -> Result<Option<Arc<Account>>, Error> {
        let found = self.accounts.get(agent_id);
        let (Some(store), Ok(key)) = (&self.store, Key::parse("agent_id", agent_id)) else {
            return Ok(found);
        };
        match KeptBudget::of(store, agent_id) {
            Ok(Some(budget)) => self.learn(&key, budget).map(Some),
            Ok(None) => self.forget(&key).map(|()| None),
            Err(Error::Store(_)) if found.is_some() => Ok(found),
            Err(error) => Err(error),
        }
    }

    /// The accounts of all agents that have a budget.
    pub(super) fn all(&self) -> Result<Vec<Arc<Account>>, Error> {
        let Some(store) = &self.store else { return Ok(self.accounts.all()) };
        let kept = KeptBudget::all(store)?;
        let is_kept = |account: &Arc<Account>| {
            kept.binary_search_by(|budget| budget.agent.as_str().cmp(account.key().as_str()))
                .is_ok()
        };
        for gone in self.accounts.all().iter().filter(|account| !is_kept(account)) {
            self.forget(gone.key())?;
        }
        let learn = |budget: KeptBudget| {
            let key = Key::parse("agent_id", &budget.agent)?;
            self.learn(&key, budget)
        };
        kept.into_iter().map(learn).collect()
    }

    /// Takes what the store says of the budget of an agent.
    pub(super) fn learn(&self, key: &Key, budget: KeptBudget) -> Result<Arc<Account>, Error> {
        let now = self.core.clock().tick();
        let window = new_window(budget.window(), now)?;
        let limit = BudgetLimit {
            agent_id: key.as_str().to_owned(),
            token_budget: budget.tokens,
            calls_budget: budget.calls,
            window: budget.window(),
        };
        let before = self.kept.lock().insert(key.clone(), (budget.clone(), now));
        let known = self.accounts.get(key.as_str());
        if let (Some(account), true) = (&known, before.is_some_and(|(before, _)| before == budget))
        {
            return Ok(Arc::clone(account));
        }
        let account = self.new_account(key, &limits(&limit), &window)?;
        if let Some(store) = &self.store {
            look(store, &account)?;
        }
        change(&account, &limit, &window)?;
        account.open_again()?;
        Ok(self.accounts.get_or_insert(account))
    }

    /// The agent has no budget any more.
    pub(super) fn forget(&self, key: &Key) -> Result<(), Error> {
        self.kept.lock().remove(key);
        let account = self.accounts.remove(key.as_str());
        account.map_or(Ok(()), |account| account.close().map(drop))
    }
}

/// For so long a manager believes what the store has said of a budget before it refuses by it.
const ASKED: Duration = Duration::from_secs(1);

/// The limits of an agent in its store: of tokens and of calls.
pub(super) fn limits_in(account: &Account) -> Result<Vec<LimitId>, Error> {
    Ok(limits_of(account)?.into_iter().flatten().collect())
}
