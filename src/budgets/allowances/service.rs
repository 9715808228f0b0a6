//! The service of allowances: it decides which jobs may begin.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::accounts::{Limited, Opening, Showing, open_agent, open_model, open_repo};
use super::job::{JobId, day_of};
use super::job_table::JobTable;
use super::kept::KeptJob;
use super::settings::{AgentAllowance, ModelQuota, RepoLimit};
use crate::accounting::{Clock, Key, LONGEST, Limit, Moment, Show, Tick};
use crate::budgets::stored::core;
use crate::ledger::{Core, Error, Heir, Heritable, Policy};
use crate::store::Store;

/// The options of an [`AllowanceService`].
#[derive(Clone, Debug, Default)]
pub struct AllowanceOptions {
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the usage is kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
}

/// A job runs until its end is reported, or for as long as its allowance says.
fn policy() -> Policy {
    Policy { lease_ttl: LONGEST, ..Policy::default() }
}

/// What agents may do in a day and at the same time, over all models and repositories. An agent
/// without an allowance is refused. Days are UTC.
///
/// ```
/// use outlay::{AgentAllowance, AllowanceService, Clock, QuotaEvent, UsageReport};
/// let service = AllowanceService::new(Clock::System);
/// service.set_allowance(AgentAllowance {
///     agent_id: "a-1".into(), daily_token_limit: 1_000, concurrent_jobs: 1,
///     ..AgentAllowance::default()
/// })?;
/// service.start_job("a-1", "j-1", "gpt-x", None, 400)?;
/// assert!(service.start_job("a-1", "j-2", "", None, 0).is_err()); // one at a time
/// service.record(&UsageReport {
///     agent_id: "a-1".into(), job_id: "j-1".into(), event: QuotaEvent::JobFailed,
///     model: String::new(), tokens_in: 300, tokens_out: 7, cost_micros_usd: 50,
/// })?;
/// assert_eq!(service.usage("a-1")?.tokens_used, 154); // 153 came back
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Debug)]
pub struct AllowanceService {
    pub(super) core: Arc<Core>,
    pub(super) agents: Limited<AgentAllowance>,
    pub(super) models: Limited<ModelQuota>,
    pub(super) repos: Limited<RepoLimit>,
    pub(super) jobs: Mutex<JobTable>,
    generation: AtomicU64,
    heir: Heir<Self>,
    pub(super) showing: Arc<Showing>,
    spares_zero: bool,
    pub(super) store: Option<Arc<Store>>,
    /// Whether the store keeps what is set. A guard has its policy.
    pub(super) keeps_settings: bool,
    /// Jobs in the store that began here, with the versions of their facts.
    pub(super) mine: Mutex<HashMap<JobId, (KeptJob, u64)>>,
    /// When the quotas of models were last heard.
    pub(super) quotas_heard: Mutex<Option<Tick>>,
}

impl AllowanceService {
    /// A service without allowances.
    pub fn new(clock: Clock) -> Self {
        Self::of(Core::new(clock, policy()), None, false)
    }

    /// A service without allowances. In a store, what was used is counted by the ids of agents, models
    /// and repositories.
    pub fn with(options: AllowanceOptions) -> Result<Self, Error> {
        Self::in_store(options, false)
    }

    /// The service of a guard. A call that costs nothing is admitted even if a budget is
    /// overspent.
    pub(crate) fn in_guard(options: AllowanceOptions) -> Result<Self, Error> {
        Self::in_store(options, true)
    }

    fn in_store(options: AllowanceOptions, spares_zero: bool) -> Result<Self, Error> {
        let AllowanceOptions { clock, store } = options;
        Ok(Self::of(core(store.as_ref(), clock, policy())?, store, spares_zero))
    }

    fn of(core: Arc<Core>, store: Option<Arc<Store>>, spares_zero: bool) -> Self {
        let showing = Arc::new(Showing::default());
        let (own, mine) = (store.clone(), Mutex::default());
        let follows = !spares_zero;
        let opening =
            Opening { core: Arc::clone(&core), store, follows, showing: Arc::clone(&showing) };
        let opening = Arc::new(opening);
        Self {
            agents: Limited::new(&opening, open_agent),
            models: Limited::new(&opening, open_model),
            repos: Limited::new(&opening, open_repo),
            jobs: Mutex::new(JobTable::new(core.clock().now(true))),
            generation: AtomicU64::new(0),
            heir: Heir::new(),
            core,
            showing,
            spares_zero,
            store: own,
            keeps_settings: !spares_zero,
            mine,
            quotas_heard: Mutex::new(None),
        }
    }

    pub(super) fn sparing<const N: usize>(&self, limits: [Limit; N]) -> [Limit; N] {
        if self.spares_zero { limits.map(Limit::spares_zero) } else { limits }
    }

    /// Sets what a model that is refused reads of names and totals.
    pub(crate) fn set_show(&self, show: Show) {
        self.showing.set(show);
    }

    /// A number that changes whenever a limit is set.
    pub(crate) fn generation(&self) -> u64 {
        // Acquire pairs with the release in `changed`: a thread that reads the new number sees the
        // new limits.
        self.generation.load(Ordering::Acquire)
    }

    /// The same limits, as this service applies them.
    pub(super) fn spared<const N: usize>(&self, limits: [Limit; N]) -> Vec<Limit> {
        self.sparing(limits).to_vec()
    }

    /// Notes that a limit was set.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The present, with its wall time.
    pub(super) fn now(&self) -> Moment {
        self.core.clock().now(true)
    }

    /// The number of the present day.
    pub(super) fn today(&self) -> i64 {
        day_of(self.core.clock().wall_ns())
    }

    /// The maximum duration of the jobs of an agent, or `None` for no maximum.
    pub(super) fn longest(&self, agent: &Key) -> Option<Duration> {
        let longest = self.agents.setting(agent)?.max_job_duration;
        (!longest.is_zero()).then_some(longest)
    }
}

impl Heritable for AllowanceService {
    fn made_in(&self) -> u64 {
        self.core.generation()
    }

    /// That of a guard is made by the guard.
    fn heir(&self) -> Option<&Heir<Self>> {
        self.keeps_settings.then_some(&self.heir)
    }

    /// What is set is in the store, and so are the jobs.
    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let store = Some(self.store.as_ref().ok_or(Error::Forked)?.present()?);
        let heir = Self::with(AllowanceOptions { clock: Clock::System, store })?;
        heir.core.take_listeners(&self.core);
        heir.showing.set(self.showing.get());
        Ok(Arc::new(heir))
    }
}
