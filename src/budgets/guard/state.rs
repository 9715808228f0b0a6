//! The guard itself: the state that all of its modules share.

pub(super) mod in_force;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::RwLock;

use self::in_force::{InForce, Prices};
use super::allotments::{AllotmentEnds, Allotted};
use super::allowances::set_allowances;
use super::counter::{Counter, CounterKey};
use super::forget::queue::Forgetting;
use super::matched::Matched;
use super::matched::cache::MatchCache;
use super::unmatched::{Unmatched, Warner};
use crate::accounting::{
    CallPrice, Clock, Code, CostSource, Key, Price, TellUnpriced, UsageEstimate,
};
use crate::budgets::allowances::{AllowanceOptions, AllowanceService};
use crate::budgets::policy::{EstimateMode, GuardPolicy};
use crate::budgets::stored::core;
use crate::ledger::{Account, Core, Error, Event, Heir, Heritable, Inherited};
use crate::store::{Store, StoreOptions};

/// The settings of a request, beside its labels.
#[derive(Clone, Debug, Default)]
pub struct GuardRequest {
    /// What the call may use. If it has no cost, the price of its model decides.
    pub estimate: UsageEstimate,
    /// How long the lease lives. Default: `lease_ttl` of the policy.
    pub ttl: Option<Duration>,
    /// Whether it may use the amount that is kept back for a final answer.
    pub landing: bool,
    /// Whether it is spent already and is only to be booked. Then no label is required.
    pub spent: bool,
}

impl From<UsageEstimate> for GuardRequest {
    fn from(estimate: UsageEstimate) -> Self {
        Self { estimate, ..Self::default() }
    }
}

/// The options of a [`Guard`].
#[derive(Clone, Debug, Default)]
pub struct GuardOptions {
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the counts of all rules are kept, for all processes. Default: where `[store]` of the
    /// policy says, or else in this object alone.
    pub store: Option<Arc<Store>>,
    /// Whether `store` stands in for `[store]` of the policy, though it is `None`.
    pub store_stands_in: bool,
}

/// The rules and prices that apply to some labels. See [`Guard::known`].
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
///
/// With a store every rule goes on with its counts, in all processes and after a restart:
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use outlay::store::{Store, StoreOptions};
/// use outlay::{Guard, GuardOptions, GuardPolicy, Usage};
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("sqlite:///{}", folder.path().join("budgets.db").display());
/// let store = Store::open(&url, StoreOptions::default())?;
/// let open = || {
///     let policy = r#"[[budget]]
///         name = "all"
///         limit = { tokens = 1_000 }"#;
///     let policy = GuardPolicy::from_toml("policy.toml", policy)?;
///     Guard::with(policy, GuardOptions { store: Some(store.clone()), ..Default::default() })
/// };
/// open()?.reserve(&[], Usage::tokens(800).into())?.commit(Usage::tokens(800).into())?;
/// assert!(open()?.reserve(&[], Usage::tokens(201).into()).is_err());
/// # }
/// # Ok::<(), outlay::Error>(())
/// ```
pub struct Guard {
    pub(super) core: Arc<Core>,
    pub(super) store: Option<Arc<Store>>,
    /// The address that the policy named when it was made, if that was asked.
    pub(super) policy_url: Option<Option<String>>,
    pub(super) in_force: RwLock<Arc<InForce>>,
    /// The same, for a forked child.
    pub(super) taken: Inherited<Arc<InForce>>,
    heir: Heir<Self>,
    pub(super) generation: AtomicU64,
    pub(super) counters: DashMap<CounterKey, Arc<Counter>>,
    pub(super) matched: MatchCache<Matched>,
    pub(super) forgetting: Forgetting,
    pub(super) ends: Arc<AllotmentEnds>,
    pub(super) prices: RwLock<Prices>,
    pub(super) allowances: Arc<AllowanceService>,
    /// The account of requests that no rule matches, so that they get a lease too.
    pub(super) nobody: Arc<Account>,
    pub(super) resolver: Option<Arc<Resolver>>,
    pub(super) unmatched: Unmatched,
    pub(super) tell_unpriced: Option<TellUnpriced>,
    /// By provider and model, with the generation in which they were found.
    pub(super) call_prices: DashMap<String, (u64, Arc<CallPrice>)>,
}

/// Returns the price of a model that the policy does not price. Called once for each model.
pub type Resolver = Box<dyn Fn(&str, Option<&str>) -> Result<Option<Price>, Error> + Send + Sync>;

impl Guard {
    /// A guard of `policy`.
    pub fn new(policy: GuardPolicy, clock: Clock) -> Result<Self, Error> {
        Self::with(policy, GuardOptions { clock, ..GuardOptions::default() })
    }

    /// A guard of `policy`. In a store, each rule goes on with what it has counted, in all processes
    /// and after a restart. It is known by its table, name, scope and window.
    pub fn with(policy: GuardPolicy, options: GuardOptions) -> Result<Self, Error> {
        let store_policy = &policy.defaults.store;
        let url = store_policy.url.as_ref().filter(|_| !options.store_stands_in);
        let stands_in = options.store_stands_in || (options.store.is_some() && url.is_none());
        let policy_url = (!stands_in).then(|| url.cloned());
        let GuardOptions { clock, store, .. } = options;
        let store = match (store, url) {
            (None, Some(url)) => {
                let options = StoreOptions { clock: clock.clone(), ..store_policy.options.clone() };
                Some(Store::open(url, options)?)
            }
            (store, _) => store,
        };
        policy.check_for(store.as_ref())?;
        let core = core(store.as_ref(), clock.clone(), policy.defaults.leases)?;
        let meters = std::iter::empty();
        let nobody = Account::new(&core, Key::fixed("guard"), Code::BudgetExceeded, meters);
        let options = AllowanceOptions { clock, store: store.clone() };
        let allowances = Arc::new(AllowanceService::in_guard(options)?);
        set_allowances(&allowances, &policy)?;
        let prices = RwLock::new(Prices::new(&policy));
        let in_force = Arc::new(InForce::new(policy, &[], store.is_some()));
        Ok(Self {
            core,
            store,
            policy_url,
            taken: Inherited::new(Arc::clone(&in_force)),
            heir: Heir::new(),
            in_force: RwLock::new(in_force),
            generation: AtomicU64::new(0),
            counters: DashMap::new(),
            matched: MatchCache::new(),
            forgetting: Forgetting::new(),
            ends: AllotmentEnds::new(),
            prices,
            allowances,
            nobody,
            resolver: None,
            unmatched: Unmatched::default(),
            tell_unpriced: None,
            call_prices: DashMap::new(),
        })
    }

    /// Asks `resolver` for prices that the policy does not name. No lock is held during the call.
    #[must_use]
    pub fn resolving(mut self, resolver: Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Calls `warner` if a request passes that no rule matches: once for each set of label names,
    /// for 256 sets at most. No lock is held during the call.
    #[must_use]
    pub fn warning(mut self, warner: Warner) -> Self {
        self.unmatched.warner = Some(Arc::new(warner));
        self
    }

    /// Calls `tell` for each part of a usage that the price of its model does not know. No lock is
    /// held during the call.
    #[must_use]
    pub const fn telling_unpriced(mut self, tell: TellUnpriced) -> Self {
        self.tell_unpriced = Some(tell);
        self
    }

    /// Which cost of a call is booked.
    pub fn cost_source(&self) -> CostSource {
        self.present().in_force.read().policy.defaults.cost_source
    }

    /// The allowances of the policy.
    pub fn allowances(&self) -> &Arc<AllowanceService> {
        &self.present().allowances
    }

    /// How calls are estimated, and the output tokens to reserve if nothing limits them. `None` if
    /// the policy does not say.
    pub fn estimating(&self) -> (Option<EstimateMode>, Option<u64>) {
        let defaults = &self.present().in_force.read().policy.defaults;
        (defaults.estimate, defaults.output_tokens)
    }

    /// The core that its accounts share.
    pub fn core(&self) -> &Arc<Core> {
        &self.present().core
    }

    /// Calls `listener` for everything that happens from now on, never under a lock.
    pub fn subscribe(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        let guard = self.present();
        guard.core.subscribe(listener);
        // What was found before nobody listened has no labels for events. Release pairs with the
        // load of the generation.
        guard.generation.fetch_add(1, Ordering::Release);
    }

    /// Reports a request that passes and that no rule matches.
    #[inline]
    pub(super) fn tell_unmatched(&self, matched: &Matched, estimate: &UsageEstimate) {
        if let Some(stray) = &matched.stray {
            let has_budgets = || self.in_force.read().policy.has_budgets();
            self.unmatched.notify(stray, estimate, &self.core, has_budgets);
        }
    }

    #[inline]
    pub(super) fn present_generation(&self) -> u64 {
        // Acquire pairs with the release of the thread that changed something.
        let own = self.generation.load(Ordering::Acquire);
        own.wrapping_add(self.allowances.generation())
    }

    /// That of this process, if it can be made.
    fn present(&self) -> &Self {
        self.here().unwrap_or(self)
    }

    /// That of this process. A part of the budgets of the parent process is not asked in a child.
    #[inline]
    pub(super) fn here_for(&self, allotted: Option<&Arc<Allotted>>) -> Result<&Self, Error> {
        match allotted {
            None => self.here(),
            Some(_) => self.core.same_process().map(|()| self),
        }
    }
}

impl Heritable for Guard {
    #[inline]
    fn made_in(&self) -> u64 {
        self.core.generation()
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        Some(&self.heir)
    }

    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let store = self.store.as_ref().ok_or(Error::Forked)?.present()?;
        let policy = self.taken.with(|in_force| in_force.policy.clone());
        let mut heir =
            Self::with(policy, GuardOptions { store: Some(store), ..GuardOptions::default() })?;
        heir.policy_url.clone_from(&self.policy_url);
        heir.resolver.clone_from(&self.resolver);
        heir.unmatched.warner.clone_from(&self.unmatched.warner);
        heir.tell_unpriced = self.tell_unpriced;
        heir.core.take_listeners(&self.core);
        // What was found in the parent is out of date.
        heir.generation = AtomicU64::new(self.present_generation().wrapping_add(1));
        Ok(Arc::new(heir))
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("in_force", &self.in_force.read()).finish_non_exhaustive()
    }
}
