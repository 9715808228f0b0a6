//! The budget manager: token and call budgets per agent, each in a window of its own.

mod agents;
mod kept;
mod limit;

use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;

use self::agents::{Agents, limits_in};
use self::kept::KeptBudget;
pub use self::limit::BudgetLimit;
use self::limit::change;
pub(super) use self::limit::{limits, new_window};
use super::facts::limits_of;
use super::stored::{check_most, core, reset};
use crate::accounting::{Clock, Key, Meter, Moment, UsageEstimate, Window, nanos};
use crate::ledger::{
    Account, Ask, Core, Demand, Error, Heritable, Lease, MeterIndex, Policy, Request, reserve,
};
use crate::store::Store;

const TOKENS: MeterIndex = MeterIndex(0);
const CALLS: MeterIndex = MeterIndex(1);

/// The options of a [`BudgetManager`].
#[derive(Clone, Debug, Default)]
pub struct ManagerOptions {
    /// How abandoned leases end.
    pub policy: Policy,
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the counts are kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
}

/// What an agent has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetInfo {
    /// Tokens, `None` for no limit.
    pub tokens_remaining: Option<u64>,
    /// Calls, `None` for no limit.
    pub calls_remaining: Option<u64>,
    /// The time left in the window, or `None` if it never ends.
    pub window_remaining: Option<Duration>,
    /// Whether tokens or calls are used up, or no budget is configured.
    pub is_exhausted: bool,
}

/// All about an agent's budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullBudgetInfo {
    /// The limits.
    pub limit: BudgetLimit,
    /// Tokens charged in this window.
    pub tokens_used: u64,
    /// Calls charged in this window.
    pub calls_used: u64,
    /// What is left.
    pub info: BudgetInfo,
}

/// Token and call budgets by agent. An agent without a budget is refused.
///
/// ```
/// use outlay::{BudgetLimit, BudgetManager, Clock, Policy};
/// let manager = BudgetManager::new(Clock::System, Policy::default());
/// manager.set_budget(&BudgetLimit {
///     agent_id: "a-1".into(), token_budget: Some(100), calls_budget: None, window: None,
/// })?;
/// manager.reserve("a-1", 60)?;
/// assert!(manager.reserve("a-1", 60).is_err());
/// assert!(manager.reserve("nobody", 1).is_err());
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BudgetManager(pub(super) Arc<Agents>);

/// A handle for one agent. It skips the lookup of the account.
#[derive(Clone, Debug)]
pub struct AgentBudget {
    agents: Arc<Agents>,
    account: Arc<Account>,
}

impl BudgetManager {
    /// A manager without agents.
    pub fn new(clock: Clock, policy: Policy) -> Self {
        Self::of(Core::new(clock, policy), None)
    }

    /// A manager without agents. In a store, what an agent has used is counted by its id: a budget
    /// that is set anew, also with another window, goes on with it.
    pub fn with(options: ManagerOptions) -> Result<Self, Error> {
        let ManagerOptions { policy, clock, store } = options;
        Ok(Self::of(core(store.as_ref(), clock, policy)?, store))
    }

    fn of(core: Arc<Core>, store: Option<Arc<Store>>) -> Self {
        Self(Agents::new(core, store))
    }

    /// Sets or changes an agent's budget. An existing agent keeps its usage and the start of its
    /// window.
    pub fn set_budget(&self, limit: &BudgetLimit) -> Result<(), Error> {
        let agents = self.0.here()?;
        let key = Key::parse("agent_id", &limit.agent_id)?;
        let store = agents.store.as_ref();
        check_most(store, "token_budget", limit.token_budget)?;
        check_most(store, "calls_budget", limit.calls_budget)?;
        let window = new_window(limit.window, agents.core.clock().tick())?;
        if let Some(store) = store {
            let most = [limit.token_budget, limit.calls_budget];
            let budget = KeptBudget::new(&limit.agent_id, most, limit.window);
            let account = agents.new_account(&key, &limits(limit), &window)?;
            budget.set(store, &key, &limits_in(&account)?)?;
            return agents.learn(&key, budget).map(drop);
        }
        loop {
            if let Some(account) = agents.accounts.get(key.as_str()) {
                change(&account, limit, &window)?;
                // The budget may have been removed in between. Then it is set anew.
                if !account.is_closed()? {
                    return Ok(());
                }
                continue;
            }
            let account = agents.new_account(&key, &limits(limit), &window)?;
            if Arc::ptr_eq(&agents.accounts.get_or_insert(Arc::clone(&account)), &account) {
                return Ok(());
            }
        }
    }

    /// Removes the budget of an agent. Returns false if there was none. Open leases still end.
    pub fn remove_budget(&self, agent_id: &str) -> Result<bool, Error> {
        let agents = self.0.here()?;
        if let (Some(store), Ok(key)) = (&agents.store, Key::parse("agent_id", agent_id)) {
            let Some(account) = agents.fresh(agent_id)? else { return Ok(false) };
            let removed = kept::remove(store, &key, &limits_in(&account)?)?;
            agents.forget(&key)?;
            return Ok(removed);
        }
        match agents.accounts.remove(agent_id) {
            Some(account) => account.close(),
            None => Ok(false),
        }
    }

    /// Charges `tokens` at once, or refuses and changes nothing.
    pub fn reserve(&self, agent_id: &str, tokens: u64) -> Result<(), Error> {
        self.0.charge(agent_id, Demand::new(TOKENS, tokens))
    }

    /// Gives `tokens` back to the present window, never below zero.
    pub fn release(&self, agent_id: &str, tokens: u64) -> Result<(), Error> {
        let account = self.0.account(agent_id, tokens)?;
        let own = account.adjust(|meters, _| {
            let meter = &mut meters[usize::from(TOKENS)];
            let own = tokens.min(meter.used_here());
            meter.give_back(own);
            own
        })?;
        match (&self.0.store, limits_of(&account)?[usize::from(TOKENS)]) {
            (Some(store), Some(limit)) if own < tokens => {
                kept::give_back(store, account.key(), limit, tokens - own)
            }
            _ => Ok(()),
        }
    }

    /// Charges one call, or refuses.
    pub fn track_call(&self, agent_id: &str) -> Result<(), Error> {
        self.0.charge(agent_id, Demand::new(CALLS, 1))
    }

    /// What the agent has left. Nothing if it has no budget.
    pub fn remaining(&self, agent_id: &str) -> Result<BudgetInfo, Error> {
        Ok(self.full_info(agent_id)?.map_or(EXHAUSTED, |full| full.info))
    }

    /// Whether the agent has tokens and calls left.
    pub fn can_schedule(&self, agent_id: &str) -> Result<bool, Error> {
        Ok(!self.remaining(agent_id)?.is_exhausted)
    }

    /// Starts a new window of the agent now.
    pub fn reset_window(&self, agent_id: &str) -> Result<(), Error> {
        reset(&*self.0.account(agent_id, 0)?)
    }

    /// All about one agent.
    pub fn full_info(&self, agent_id: &str) -> Result<Option<FullBudgetInfo>, Error> {
        let agents = self.0.here()?;
        agents.fresh(agent_id)?.map(|account| full_info(&account)).transpose()
    }

    /// All about all agents, in the order of their ids.
    pub fn all_full_info(&self) -> Result<Vec<FullBudgetInfo>, Error> {
        let agents = self.0.here()?;
        let mut accounts = agents.all()?;
        accounts.sort_by(|a, b| a.key().cmp(b.key()));
        accounts.iter().map(full_info).collect()
    }

    /// A handle for one agent.
    pub fn agent(&self, agent_id: &str) -> Result<AgentBudget, Error> {
        let agents = Arc::clone(self.0.here_shared()?);
        let account = agents.account(agent_id, 0)?;
        Ok(AgentBudget { agents, account })
    }
}

impl AgentBudget {
    /// The agent.
    pub fn agent_id(&self) -> &str {
        self.account.key().as_str()
    }

    /// Holds the tokens and one call until the lease ends.
    pub fn reserve(&self, estimate: UsageEstimate, ttl: Option<Duration>) -> Result<Lease, Error> {
        reserve(&[self.ask(&estimate)?], &Request { ttl, ..estimate.into() })
    }

    /// Charges tokens and calls: both, or neither.
    pub fn charge(&self, tokens: u64, calls: u64) -> Result<(), Error> {
        self.account()?.charge(&[Demand::new(TOKENS, tokens), Demand::new(CALLS, calls)])
    }

    /// Charges one call, or refuses.
    pub fn track_call(&self) -> Result<(), Error> {
        self.account()?.charge(&[Demand::new(CALLS, 1)])
    }

    /// What the agent has left. Nothing if its budget was removed.
    pub fn remaining(&self) -> Result<BudgetInfo, Error> {
        let account = self.account()?;
        if account.is_closed()? { Ok(EXHAUSTED) } else { Ok(full_info(&account)?.info) }
    }

    /// The ask of a request of `estimate`: its tokens and one call.
    pub fn ask(&self, estimate: &UsageEstimate) -> Result<Ask, Error> {
        Ok(ask(&self.account()?, estimate))
    }

    /// The ask of one call.
    pub fn ask_call(&self) -> Result<Ask, Error> {
        Ok(Ask::new(&self.account()?, smallvec![Demand::new(CALLS, 1)]))
    }

    /// The account of the agent. If its budget was removed and set anew, the new account.
    pub fn account(&self) -> Result<Arc<Account>, Error> {
        let agents = self.agents.here()?;
        if !std::ptr::eq(agents, &*self.agents) {
            return agents.account(self.agent_id(), 0);
        }
        let present =
            if self.account.is_closed()? { self.agents.known(self.agent_id())? } else { None };
        Ok(present.unwrap_or_else(|| Arc::clone(&self.account)))
    }
}

const EXHAUSTED: BudgetInfo = BudgetInfo {
    tokens_remaining: Some(0),
    calls_remaining: Some(0),
    window_remaining: Some(Duration::ZERO),
    is_exhausted: true,
};

fn ask(account: &Arc<Account>, estimate: &UsageEstimate) -> Ask {
    Ask::new(account, [Demand::new(TOKENS, estimate.total_tokens), Demand::new(CALLS, 1)].into())
}

fn full_info(account: &Arc<Account>) -> Result<FullBudgetInfo, Error> {
    account.read(|meters, now| info_of(account.key().as_str(), meters, now))
}

pub(super) fn info_of(agent_id: &str, meters: &[Meter], now: Moment) -> FullBudgetInfo {
    let [tokens, calls] = [&meters[usize::from(TOKENS)], &meters[usize::from(CALLS)]];
    let (tokens_remaining, calls_remaining) = (tokens.remaining(), calls.remaining());
    FullBudgetInfo {
        limit: BudgetLimit {
            agent_id: agent_id.to_owned(),
            token_budget: tokens.limit(),
            calls_budget: calls.limit(),
            window: tokens.window().period(),
        },
        tokens_used: tokens.used(),
        calls_used: calls.used(),
        info: BudgetInfo {
            tokens_remaining,
            calls_remaining,
            window_remaining: tokens.resets_in(now),
            is_exhausted: tokens_remaining == Some(0) || calls_remaining == Some(0),
        },
    }
}

/// The start of the agent's window, as nanoseconds before now.
pub(super) fn window_age_ns(meters: &[Meter], now: Moment) -> u64 {
    match meters[usize::from(TOKENS)].window() {
        Window::Fixed { start, .. } => nanos(now.tick.since(*start)),
        _ => 0,
    }
}
