//! The budgets of agents as facts: all processes of a store know them, and a restart does.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::accounting::{Key, nanos};
use crate::budgets::facts::{FactGroup, FactValue, learning, written};
use crate::ledger::Error;
use crate::store::{Change, Fact, LimitId, Moved, Store};

const BUDGETS: FactGroup<'static> = FactGroup { kind: "budget", owner: "" };

/// The budget of an agent, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptBudget {
    pub(super) agent: String,
    pub(super) tokens: Option<u64>,
    pub(super) calls: Option<u64>,
    /// Nanoseconds.
    window: Option<u64>,
}

impl FactValue for KeptBudget {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.agent)
    }
}

impl KeptBudget {
    pub(super) fn new(
        agent: &str,
        [tokens, calls]: [Option<u64>; 2],
        window: Option<Duration>,
    ) -> Self {
        Self { agent: agent.to_owned(), tokens, calls, window: window.map(nanos) }
    }

    pub(super) fn window(&self) -> Option<Duration> {
        self.window.map(Duration::from_nanos)
    }

    /// Sets it, with the limits that it means, in one step. The latest stands.
    pub(super) fn set(&self, store: &Store, agent: &Key, limits: &[LimitId]) -> Result<(), Error> {
        let most = [self.tokens, self.calls].map(|most| most.unwrap_or(u64::MAX));
        let moved = limits.iter().zip(most).map(|(limit, most)| Moved::set(*limit, most));
        change(store, agent, Change::Put(written(self)?, moved.collect())).map(drop)
    }

    /// The budget that stands.
    pub(super) fn of(store: &Store, agent: &str) -> Result<Option<Self>, Error> {
        Ok(BUDGETS.read(store, agent, 0)?.map(|(budget, _)| budget))
    }

    /// All that stand, in the order of the agents.
    pub(super) fn all(store: &Store) -> Result<Vec<Self>, Error> {
        Ok(BUDGETS.all(store)?.into_iter().map(|(budget, _)| budget).collect())
    }
}

/// Removes the budget of an agent: nothing passes any more, and one that is set anew begins with
/// nothing used. Returns false if there was none.
pub(super) fn remove(store: &Store, agent: &Key, limits: &[LimitId]) -> Result<bool, Error> {
    let moved = limits.iter().map(|limit| Moved { reset: true, ..Moved::set(*limit, 0) });
    change(store, agent, Change::Remove(moved.collect()))
}

/// Gives `amount` of a limit back that other holders have used.
pub(super) fn give_back(
    store: &Store,
    agent: &Key,
    limit: LimitId,
    amount: u64,
) -> Result<(), Error> {
    // The value stays: the fact only carries what moves.
    for _ in 0..TRIES {
        let Some((budget, seen)) = BUDGETS.read::<KeptBudget>(store, agent.as_str(), 0)? else {
            return Ok(());
        };
        let moved = vec![Moved { take_off: amount, ..Moved::add(limit, 0) }];
        let change = Change::Put(written(&budget)?, moved);
        let id = BUDGETS.id(agent.as_str());
        if store.fact(Fact { id, seen, keep: u64::MAX, change })?.changed {
            return Ok(());
        }
    }
    Err(learning("budget", agent.as_str()))
}

/// How often a change is tried that others may overtake.
const TRIES: usize = 16;

fn change(store: &Store, agent: &Key, change: Change) -> Result<bool, Error> {
    let removes = matches!(change, Change::Remove(_));
    let id = BUDGETS.id(agent.as_str());
    let given = store.fact(Fact { id, seen: Fact::ANY, keep: u64::MAX, change })?;
    match given.changed || (removes && !given.stands()) {
        true => Ok(given.changed),
        false => Err(learning("budget", agent.as_str())),
    }
}
