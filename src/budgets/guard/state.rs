//! A guard itself: what all of its rooms share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::RwLock;

use super::allotments::Ends;
use super::allowances::set_allowances;
use super::counter::Counter;
use super::in_force::InForce;
use super::last_asked::Runs;
use super::matched::Matched;
use super::unmatched::{Unmatched, Warner};
use crate::accounting::{Clock, Code, Key, Price, PriceTable, UsageEstimate};
use crate::budgets::allowances::AllowanceService;
use crate::budgets::policy::{EstimateMode, GuardPolicy};
use crate::ledger::{Account, Core, Error};

/// What a request asks beside its labels.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardRequest {
    /// What the call may use. Without a cost, the price of its model says what it may cost.
    pub estimate: UsageEstimate,
    /// How long the lease lives; default, the policy's `lease_ttl`.
    pub ttl: Option<Duration>,
    /// Whether it may use what is kept back for a final answer.
    pub landing: bool,
    /// Whether it is spent already and only to be booked: then no label is required of it.
    pub spent: bool,
}

impl From<UsageEstimate> for GuardRequest {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}

/// What applies to some labels, found once: see [`Guard::known`].
#[derive(Clone)]
pub struct Known(pub(super) Arc<Matched>);

/// All limits of a policy, decided in one step.
///
/// ```
/// use outlay::{Clock, Guard, GuardPolicy, Usage};
/// let policy = GuardPolicy::from_toml("policy.toml", r#"
///     [[budget]]
///     name = "per-agent"
///     scope = { agent = "*" }
///     limit = { tokens = 1_000 }
/// "#)?;
/// let guard = Guard::new(policy, Clock::System)?;
/// let lease = guard.reserve(&[("agent", "a-1")], Usage::tokens(800).into())?;
/// assert!(guard.reserve(&[("agent", "a-1")], Usage::tokens(800).into()).is_err());
/// assert!(guard.reserve(&[("agent", "a-2")], Usage::tokens(800).into()).is_ok());
/// lease.commit(Usage::tokens(300).into())?;
/// # Ok::<(), outlay::Error>(())
/// ```
pub struct Guard {
    pub(super) core: Arc<Core>,
    pub(super) in_force: RwLock<Arc<InForce>>,
    pub(super) generation: AtomicU64,
    /// By the number of the group and the values of its labels.
    pub(super) counters: DashMap<(usize, String), Arc<Counter>>,
    pub(super) matched: DashMap<Box<[u8]>, Arc<Matched>>,
    pub(super) runs: Runs,
    pub(super) ends: Arc<Ends>,
    pub(super) prices: RwLock<PriceTable>,
    pub(super) allowances: Arc<AllowanceService>,
    /// Asked where no rule applies, so that there is a lease all the same.
    pub(super) nobody: Arc<Account>,
    pub(super) resolver: Option<Resolver>,
    pub(super) unmatched: Unmatched,
}

/// Says what a model of a provider costs that the policy does not price; asked once for each.
pub type Resolver = Box<dyn Fn(&str, Option<&str>) -> Result<Option<Price>, Error> + Send + Sync>;

impl Guard {
    /// A guard of `policy`.
    pub fn new(policy: GuardPolicy, clock: Clock) -> Result<Self, Error> {
        let core = Core::new(clock.clone(), policy.defaults.leases);
        let meters = std::iter::empty();
        let nobody = Account::new(&core, Key::fixed("guard"), Code::BudgetExceeded, meters);
        let allowances = Arc::new(AllowanceService::new(clock));
        set_allowances(&allowances, &policy)?;
        let prices = RwLock::new(policy.prices.clone());
        Ok(Self {
            core,
            in_force: RwLock::new(Arc::new(InForce::new(policy, &[]))),
            generation: AtomicU64::new(0),
            counters: DashMap::new(),
            matched: DashMap::new(),
            runs: Runs::new(),
            ends: Ends::new(),
            prices,
            allowances,
            nobody,
            resolver: None,
            unmatched: Unmatched::default(),
        })
    }

    /// Asks `resolver` for the prices that the policy does not name. It is called without a lock.
    #[must_use]
    pub fn resolving(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Calls `warner` once for each set of names of labels of which requests pass that no rule is
    /// about; for 256 sets at most. It is called without a lock.
    #[must_use]
    pub fn warning(mut self, warner: Warner) -> Self {
        self.unmatched.warner = Some(warner);
        self
    }

    /// The allowances of the policy.
    pub const fn allowances(&self) -> &Arc<AllowanceService> {
        &self.allowances
    }

    /// How the policy wants calls estimated, and the output tokens it reserves where nobody limits
    /// them; `None` where it does not say.
    pub fn estimating(&self) -> (Option<EstimateMode>, Option<u64>) {
        let defaults = &self.in_force.read().policy.defaults;
        (defaults.estimate, defaults.output_tokens)
    }

    /// What its accounts share.
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Tells of a request that passes where no rule is about it.
    #[inline]
    pub(super) fn tell_unmatched(&self, matched: &Matched, estimate: &UsageEstimate) {
        if let Some(stray) = &matched.stray {
            let has_budgets = || self.in_force.read().policy.has_budgets();
            self.unmatched.notify(stray, estimate, &self.core, has_budgets);
        }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("in_force", &self.in_force.read()).finish_non_exhaustive()
    }
}
