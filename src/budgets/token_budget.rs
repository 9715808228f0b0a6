//! The token budget of one agent, with costs of operations and a warning before the end.

mod operation_costs;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use smallvec::smallvec;

pub use self::operation_costs::OperationCosts;
use super::stored::{Stored, check_most, core, reset, span_text};
use crate::accounting::{Clock, Code, Invalid, Key, Limit, Unit, UsageEstimate, Window};
use crate::ledger::{
    Account, Ask, Demand, Error, Heritable, Lease, MeterIndex, Policy, Request, no_fork, reserve,
};
use crate::store::Store;

const TOKENS: MeterIndex = MeterIndex(0);

/// The options of an [`AgentTokenBudget`], beside its limit.
#[derive(Clone, Debug)]
pub struct TokenBudgetOptions {
    /// The share of the total (0 to 1) at which a warning is due. Default 0.8.
    pub warning_threshold: f64,
    /// False: it never refuses and counts above the total. Default true.
    pub hard_limit: bool,
    /// What a token costs, by operation.
    pub operation_costs: OperationCosts,
    /// How abandoned leases end.
    pub policy: Policy,
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the counts are kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
}

impl Default for TokenBudgetOptions {
    fn default() -> Self {
        Self {
            warning_threshold: 0.8,
            hard_limit: true,
            operation_costs: OperationCosts::default(),
            policy: Policy::default(),
            clock: Clock::System,
            store: None,
        }
    }
}

/// The tokens that one agent may use in a period, which starts when the budget is made.
///
/// ```
/// use outlay::{AgentTokenBudget, TokenBudgetOptions};
/// use std::time::Duration;
/// let hour = Duration::from_secs(3600);
/// let budget = AgentTokenBudget::new("a-1", 1_000, hour, TokenBudgetOptions::default())?;
/// budget.consume("query", 700)?;
/// assert!(budget.consume("write", 200).is_err()); // 2 x 200 tokens do not fit
/// assert_eq!(budget.remaining()?, 300);
/// # Ok::<(), outlay::Error>(())
/// ```
///
/// With a store it survives, and processes share it:
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use outlay::store::{Store, StoreOptions};
/// use outlay::{AgentTokenBudget, TokenBudgetOptions};
/// use std::time::Duration;
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("sqlite:///{}", folder.path().join("budgets.db").display());
/// let store = Store::open(&url, StoreOptions::default())?;
/// let open = || {
///     let options = TokenBudgetOptions { store: Some(store.clone()), ..Default::default() };
///     AgentTokenBudget::new("a-1", 1_000, Duration::from_secs(3600), options)
/// };
/// open()?.consume("query", 700)?;
/// assert_eq!(open()?.used()?, 700);
/// # }
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Debug)]
pub struct AgentTokenBudget {
    account: Arc<Account>,
    costs: RwLock<OperationCosts>,
    total_tokens: u64,
    period: Duration,
    warning_threshold: f64,
    hard_limit: bool,
}

impl AgentTokenBudget {
    /// A budget of `total_tokens` in each `period` from now on.
    pub fn new(
        agent_id: &str,
        total_tokens: u64,
        period: Duration,
        options: TokenBudgetOptions,
    ) -> Result<Self, Error> {
        let TokenBudgetOptions { warning_threshold, hard_limit, .. } = options;
        if !(0.0..=1.0).contains(&warning_threshold) {
            return Err(Invalid::policy("warning_threshold", "a number from 0 to 1").into());
        }
        let key = Key::parse("agent_id", agent_id)?;
        check_most(options.store.as_ref(), "total_tokens", Some(total_tokens))?;
        let core = core(options.store.as_ref(), options.clock, options.policy)?;
        let limit = Limit::new(Unit::Tokens, Some(total_tokens))
            .hard(hard_limit)
            .warn_at(warning_mark(total_tokens, warning_threshold));
        let window = Window::fixed(period, core.clock().tick())?;
        let stored = Stored {
            store: options.store.as_ref(),
            class: "AgentTokenBudget",
            id: agent_id,
            parts: &[("period", &span_text(period))],
        };
        let meters = smallvec![stored.meter(limit.clone(), window)];
        let account = stored.account_with(&[limit], meters, |meters| {
            Account::new(&core, key, Code::BudgetExceeded, meters)
        })?;
        let costs = RwLock::new(options.operation_costs);
        Ok(Self { account, costs, total_tokens, period, warning_threshold, hard_limit })
    }

    /// Books the operation's cost times `estimated_tokens`, or refuses and changes nothing.
    pub fn consume(&self, operation: &str, estimated_tokens: u64) -> Result<(), Error> {
        self.consume_at(self.cost_of(operation), estimated_tokens)
    }

    /// [`consume`](Self::consume) for callers that know the cost of the operation.
    #[inline]
    pub fn consume_at(&self, cost: u64, estimated_tokens: u64) -> Result<(), Error> {
        let amount = self.amount(cost, estimated_tokens)?;
        self.account.charge(&[Demand::new(TOKENS, amount)])
    }

    /// Whether [`consume`](Self::consume) would be admitted now. A soft limit is checked as if it
    /// were hard. Changes nothing.
    pub fn check(&self, operation: &str, estimated_tokens: u64) -> Result<(), Error> {
        match self.cost_of(operation).checked_mul(estimated_tokens) {
            Some(amount) => self.account.check(&[Demand::new(TOKENS, amount)]),
            None => Err(self.account.deny_overflow(TOKENS)),
        }
    }

    /// Holds the cost of the operation times the estimated tokens until the lease ends. A commit
    /// books that cost times the tokens used.
    pub fn reserve(
        &self,
        operation: &str,
        estimate: UsageEstimate,
        ttl: Option<Duration>,
    ) -> Result<Lease, Error> {
        let ask = self.ask(operation, &estimate)?;
        reserve(&[ask], &Request { ttl, ..estimate.into() })
    }

    /// The ask of a request of `estimate`.
    pub fn ask(&self, operation: &str, estimate: &UsageEstimate) -> Result<Ask, Error> {
        let multiplier = self.cost_of(operation);
        let amount = self.amount(multiplier, estimate.total_tokens)?;
        Ok(Ask { multiplier, ..Ask::new(&self.account, smallvec![Demand::new(TOKENS, amount)]) })
    }

    /// Tokens left: total - used - reserved, never below zero.
    pub fn remaining(&self) -> Result<u64, Error> {
        self.account.read(|meters, _| meters[0].remaining().unwrap_or(u64::MAX))
    }

    /// Tokens charged in this period.
    pub fn used(&self) -> Result<u64, Error> {
        self.account.read(|meters, _| meters[0].used())
    }

    /// Tokens that open leases hold.
    pub fn reserved(&self) -> Result<u64, Error> {
        self.account.read(|meters, _| meters[0].reserved())
    }

    /// used / total: 0.0 to 1.0, or more for a soft limit. 1.0 if the total is zero.
    pub fn usage_percentage(&self) -> Result<f64, Error> {
        self.account.read(|meters, _| {
            share(meters[0].used(), meters[0].limit().unwrap_or(self.total_tokens))
        })
    }

    /// Whether the warning threshold is reached.
    pub fn is_warning(&self) -> Result<bool, Error> {
        Ok(self.usage_percentage()? >= self.warning_threshold)
    }

    /// The time until the next period. In a store it is the whole period before the first use.
    pub fn time_until_reset(&self) -> Result<Duration, Error> {
        self.account.read(|meters, now| meters[0].resets_in(now).unwrap_or(self.period))
    }

    /// Starts a new period now. Open leases end in the old one.
    pub fn reset(&self) -> Result<(), Error> {
        reset(&self.account)
    }

    /// Sets what a token of `operation` costs from now on.
    pub fn add_operation_cost(&self, operation: &str, cost: u64) -> Result<(), Error> {
        self.account.here()?;
        let _no_fork = no_fork();
        self.costs.write().set(operation, cost);
        Ok(())
    }

    /// What a token costs, by operation.
    pub fn operation_costs(&self) -> OperationCosts {
        self.costs.read().clone()
    }

    /// What a token of `operation` costs: 1 unless it is named.
    pub fn cost_of(&self, operation: &str) -> u64 {
        self.costs.read().of(operation)
    }

    /// The agent.
    pub fn agent_id(&self) -> &str {
        self.account.key().as_str()
    }

    /// The total of a period. In a store: the one that was set last, by whichever process.
    pub fn total_tokens(&self) -> u64 {
        let total = self.account.read(|meters, _| meters[0].limit());
        total.ok().flatten().unwrap_or(self.total_tokens)
    }

    /// The length of a period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The share at which a warning is due.
    pub const fn warning_threshold(&self) -> f64 {
        self.warning_threshold
    }

    /// Whether it refuses.
    pub const fn hard_limit(&self) -> bool {
        self.hard_limit
    }

    /// The account behind it. In a forked child: that of this process, if it can be made.
    pub fn account(&self) -> &Arc<Account> {
        self.account.here_shared().unwrap_or(&self.account)
    }

    /// cost x tokens. A product that no limit can hold is refused. With a soft limit it saturates.
    /// It never wraps.
    #[inline]
    fn amount(&self, cost: u64, tokens: u64) -> Result<u64, Error> {
        match cost.checked_mul(tokens) {
            Some(amount) => Ok(amount),
            None if self.hard_limit => Err(self.account.deny_overflow(TOKENS)),
            None => Ok(u64::MAX),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is for display and for the threshold")]
fn share(used: u64, total: u64) -> f64 {
    if total == 0 { 1.0 } else { used as f64 / total as f64 }
}

/// The least `used` whose share of `total` reaches `threshold`.
fn warning_mark(total: u64, threshold: f64) -> u64 {
    let (mut low, mut high) = (0, total);
    while low < high {
        let middle = low + (high - low) / 2;
        if share(middle, total) >= threshold {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_mark_agrees_with_the_share() {
        for (total, threshold) in
            [(1000, 0.8), (7, 0.5), (3, 1.0), (10, 0.0), (0, 0.8), (u64::MAX, 0.3)]
        {
            let mark = warning_mark(total, threshold);
            assert!(share(mark, total) >= threshold);
            assert!(mark == 0 || share(mark - 1, total) < threshold || total > 1 << 53);
        }
        assert_eq!(warning_mark(1000, 0.8), 800);
    }
}
