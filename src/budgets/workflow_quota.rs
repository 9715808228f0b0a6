//! Workflow quotas: a number of workflows per period, and a number of steps in each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::smallvec;

use super::stored::{Stored, check_most, core, reset, span_text};
use crate::accounting::{Clock, Code, Key, Limit, Meter, Tick, Unit, Window};
use crate::ledger::{Account, Ask, Demand, Error, MeterIndex, Policy};
use crate::store::Store;

const FIRST: MeterIndex = MeterIndex(0);
/// For how long, at least, a workflow is kept that nobody has and nobody has ended.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How often, at most, such workflows are looked for.
const SEARCHES: Duration = Duration::from_secs(3_600);

/// The options of a [`WorkflowQuota`], beside its limits.
#[derive(Clone, Debug)]
pub struct WorkflowOptions {
    /// The clock. With a store: that of the store.
    pub clock: Clock,
    /// Where the counts are kept, for all processes. Default: in this object alone.
    pub store: Option<Arc<Store>>,
    /// What tells the quota from others in its store. Default "workflows".
    pub name: String,
}

impl Default for WorkflowOptions {
    fn default() -> Self {
        Self { clock: Clock::System, store: None, name: "workflows".to_owned() }
    }
}

/// How many workflows may begin in a period, and how many steps each may take.
///
/// ```
/// use outlay::{Clock, WorkflowQuota};
/// use std::time::Duration;
/// let quota = WorkflowQuota::new(10, 2, Duration::from_secs(3600), Clock::System)?;
/// let workflow = quota.begin_workflow("w-1", false)?;
/// workflow.execute_step(2)?;
/// assert!(workflow.execute_step(1).is_err());
/// assert_eq!(quota.get("w-1")?.map(|same| same.steps_executed()), Some(Ok(2)));
/// # Ok::<(), outlay::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WorkflowQuota(Arc<Quota>);

#[derive(Debug)]
struct Quota {
    account: Arc<Account>,
    store: Option<Arc<Store>>,
    name: String,
    max_workflows: u64,
    max_steps: u64,
    period: Duration,
    active: Mutex<HashMap<Key, Arc<Workflow>>>,
    /// When to look for workflows that nobody has any more.
    search_at: AtomicU64,
}

/// One workflow. All its handles, also the one in the quota, share one counter. A quota forgets a
/// workflow that nobody has ended a day, or a period if that is longer, after its last handle is gone.
#[derive(Clone, Debug)]
pub struct WorkflowToken(Arc<Workflow>);

#[derive(Debug)]
struct Workflow {
    account: Arc<Account>,
    max_steps: u64,
    began: Tick,
    /// When the last handle outside of the quota was dropped.
    dropped: AtomicU64,
    ended: Mutex<Option<Tick>>,
    quota: Weak<Quota>,
}

impl WorkflowQuota {
    /// At most `max_workflows` begun in each `period` from now on, of `max_steps` each.
    pub fn new(
        max_workflows: u64,
        max_steps: u64,
        period: Duration,
        clock: Clock,
    ) -> Result<Self, Error> {
        let options = WorkflowOptions { clock, ..WorkflowOptions::default() };
        Self::with(max_workflows, max_steps, period, options)
    }

    /// [`new`](Self::new) with options.
    pub fn with(
        max_workflows: u64,
        max_steps: u64,
        period: Duration,
        options: WorkflowOptions,
    ) -> Result<Self, Error> {
        let WorkflowOptions { clock, store, name } = options;
        Key::parse("name", &name)?;
        check_most(store.as_ref(), "max_workflows", Some(max_workflows))?;
        check_most(store.as_ref(), "max_steps", Some(max_steps))?;
        let core = core(store.as_ref(), clock, Policy::default())?;
        let window = Window::fixed(period, core.clock().tick())?;
        let limit = Limit::new(Unit::Workflows, Some(max_workflows));
        let stored = Stored {
            store: store.as_ref(),
            class: "WorkflowQuota",
            id: &name,
            more: &[("period", &span_text(period))],
        };
        let meters = smallvec![stored.meter(limit.clone(), window)];
        let account = stored.account_with(&[limit], meters, |meters| {
            Account::new(&core, Key::fixed("workflows"), Code::WorkflowQuotaExceeded, meters)
        })?;
        let active = Mutex::new(HashMap::new());
        let search_at = AtomicU64::new(core.clock().tick().plus(SEARCHES).raw());
        Ok(Self(Arc::new(Quota {
            account,
            store,
            name,
            max_workflows,
            max_steps,
            period,
            active,
            search_at,
        })))
    }

    /// Begins a workflow. An id that is active already is refused. With `resume` its running token
    /// is returned.
    pub fn begin_workflow(&self, workflow_id: &str, resume: bool) -> Result<WorkflowToken, Error> {
        let key = Key::parse("workflow_id", workflow_id)?;
        let quota = &self.0;
        let taken = || match quota.active.lock().get(&key) {
            Some(running) if resume => Some(Ok(WorkflowToken(Arc::clone(running)))),
            Some(_) => Some(Err(Error::Conflict(format!(
                "workflow_id {workflow_id:?} is active already: end it first, or pass resume=True"
            )))),
            None => None,
        };
        // Made before the lock: an account that a store knows is not made under that of another.
        let stored = match &quota.store {
            Some(_) if taken().is_none() => Some(quota.steps(&key, quota.wall_micros())?),
            _ => None,
        };
        let begin = || {
            let steps = stored.clone().unwrap_or_else(|| quota.own_steps(&key));
            let token = WorkflowToken::new(steps, quota);
            quota.active.lock().insert(key.clone(), Arc::clone(&token.0));
            Ok(token)
        };
        let begun = quota.account.charge_once(taken, &[Demand::new(FIRST, 1)], begin);
        if let Ok(Ok(token)) = &begun
            && token.0.began.raw() >= quota.search_at.load(Ordering::Relaxed)
        {
            quota.forget(token.0.began);
        }
        begun.map_err(|error| match error {
            Error::Denied(mut denied) => {
                denied.id = Some(key.clone());
                Error::Denied(denied)
            }
            other => other,
        })?
    }

    /// Ends a workflow. Returns false if no workflow of that id is active.
    pub fn end_workflow(&self, workflow_id: &str) -> Result<bool, Error> {
        match self.get(workflow_id)? {
            Some(token) => token.end(),
            None => Ok(false),
        }
    }

    /// The active workflow with that id.
    pub fn get(&self, workflow_id: &str) -> Result<Option<WorkflowToken>, Error> {
        self.0.account.core().same_process()?;
        Ok(self.0.active.lock().get(workflow_id).cloned().map(WorkflowToken))
    }

    /// How many workflows are active.
    pub fn active_count(&self) -> Result<usize, Error> {
        let core = self.0.account.core();
        core.same_process()?;
        self.0.forget(core.clock().tick());
        Ok(self.0.active.lock().len())
    }

    /// How many workflows began in this period.
    pub fn period_count(&self) -> Result<u64, Error> {
        self.0.account.read(|meters, _| meters[0].used())
    }

    /// How many more may begin in this period.
    pub fn remaining(&self) -> Result<u64, Error> {
        self.0.account.read(|meters, _| meters[0].remaining().unwrap_or(u64::MAX))
    }

    /// The time until the next period.
    pub fn time_until_reset(&self) -> Result<Duration, Error> {
        self.0.account.read(|meters, now| meters[0].resets_in(now).unwrap_or_default())
    }

    /// Starts a new period now. Active workflows go on.
    pub fn reset(&self) -> Result<(), Error> {
        reset(&self.0.account)
    }

    /// How many workflows may begin in a period.
    pub fn max_workflows(&self) -> u64 {
        self.0.max_workflows
    }

    /// How many steps each may take.
    pub fn max_steps(&self) -> u64 {
        self.0.max_steps
    }

    /// The length of a period.
    pub fn period(&self) -> Duration {
        self.0.period
    }

    /// The account behind it.
    pub fn account(&self) -> &Arc<Account> {
        &self.0.account
    }
}

impl Quota {
    fn wall_micros(&self) -> i64 {
        self.account.core().clock().wall_ns() / 1_000
    }

    /// The account of the steps of a workflow that began at that time, in microseconds since 1970
    /// UTC. In a store, other processes find it by that.
    fn steps(&self, workflow: &Key, began: i64) -> Result<Arc<Account>, Error> {
        let began = began.to_string();
        let stored = Stored {
            store: self.store.as_ref(),
            class: "Workflow",
            id: workflow.as_str(),
            more: &[("quota", &self.name), ("began", &began)],
        };
        let meters = smallvec![stored.meter(self.steps_limit(), Window::Lifetime)];
        stored.account(meters, |meters| {
            Account::new(self.account.core(), workflow.clone(), Code::WorkflowQuotaExceeded, meters)
        })
    }

    /// The same for this process alone.
    fn own_steps(&self, workflow: &Key) -> Arc<Account> {
        let meter = Meter::new(self.steps_limit(), Window::Lifetime);
        let (core, code) = (self.account.core(), Code::WorkflowQuotaExceeded);
        Account::new(core, workflow.clone(), code, [meter])
    }

    fn steps_limit(&self) -> Limit {
        Limit::new(Unit::Steps, Some(self.max_steps))
    }

    /// Forgets the workflows that nobody has ended and nobody has had for long.
    fn forget(&self, now: Tick) {
        // Relaxed: two threads that look at once do no harm.
        self.search_at.store(now.plus(SEARCHES).raw(), Ordering::Relaxed);
        let kept = KEPT.max(self.period);
        let is_left = |workflow: &Arc<Workflow>| {
            // A new handle would be made of this one, which is locked.
            let is_ours = Arc::strong_count(workflow) == 1;
            fence(Ordering::Acquire);
            let dropped = Tick::from_raw(workflow.dropped.load(Ordering::Relaxed));
            is_ours && now.since(dropped) >= kept
        };
        let mut active = self.active.lock();
        let left: Vec<_> = active.extract_if(|_, workflow| is_left(workflow)).collect();
        if active.len() < active.capacity() / 4 {
            active.shrink_to_fit();
        }
        drop(active);
        // Their accounts end under no lock.
        drop(left);
    }
}

impl Drop for WorkflowToken {
    fn drop(&mut self) {
        // The quota, or somebody else, has it still.
        if Arc::strong_count(&self.0) > 1 {
            let now = self.0.account.core().clock().tick();
            self.0.dropped.store(now.raw(), Ordering::Relaxed);
        }
    }
}

impl WorkflowToken {
    fn new(steps: Arc<Account>, quota: &Arc<Quota>) -> Self {
        let began = quota.account.core().clock().tick();
        Self(Arc::new(Workflow {
            account: steps,
            max_steps: quota.max_steps,
            began,
            dropped: AtomicU64::new(began.raw()),
            ended: Mutex::new(None),
            quota: Arc::downgrade(quota),
        }))
    }

    /// Takes `n` steps, or refuses and takes none.
    #[inline]
    pub fn execute_step(&self, n: u64) -> Result<(), Error> {
        self.0.account.charge(&[Demand::new(FIRST, n)])
    }

    /// The ask of one step, to charge it together with others.
    pub fn ask(&self, n: u64) -> Ask {
        Ask::new(&self.0.account, smallvec![Demand::new(FIRST, n)])
    }

    /// Steps left. Zero once the workflow has ended.
    pub fn remaining_steps(&self) -> Result<u64, Error> {
        if self.0.account.is_closed()? {
            return Ok(0);
        }
        self.0.account.read(|meters, _| meters[0].remaining().unwrap_or(u64::MAX))
    }

    /// Steps taken.
    pub fn steps_executed(&self) -> Result<u64, Error> {
        self.0.account.read(|meters, _| meters[0].used())
    }

    /// The time from its beginning to now, or to its end.
    pub fn duration(&self) -> Result<Duration, Error> {
        let core = self.0.account.core();
        core.same_process()?;
        let until = self.0.ended.lock().unwrap_or_else(|| core.clock().tick());
        Ok(until.since(self.0.began))
    }

    /// Whether a further step would be admitted.
    pub fn can_continue(&self) -> Result<bool, Error> {
        Ok(self.remaining_steps()? > 0)
    }

    /// Ends the workflow. Returns false if it had ended.
    pub fn end(&self) -> Result<bool, Error> {
        self.0.account.core().same_process()?;
        // First it leaves the active ones, so that nobody gets a token that has ended.
        if let Some(quota) = self.0.quota.upgrade() {
            let mut active = quota.active.lock();
            let ours =
                active.get(self.0.account.key()).is_some_and(|own| Arc::ptr_eq(own, &self.0));
            if ours {
                active.remove(self.0.account.key());
            }
        }
        let ended = self.0.account.close()?;
        if ended {
            *self.0.ended.lock() = Some(self.0.account.core().clock().tick());
        }
        Ok(ended)
    }

    /// The id.
    pub fn id(&self) -> &str {
        self.0.account.key().as_str()
    }

    /// How many steps it may take.
    pub fn max_steps(&self) -> u64 {
        self.0.max_steps
    }

    /// The account behind it.
    pub fn account(&self) -> &Arc<Account> {
        &self.0.account
    }
}

impl PartialEq for WorkflowToken {
    /// Handles of the same workflow.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WorkflowToken {}
