//! Workflow quotas: a number of workflows per period, and a number of steps in each.

mod run_fact;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use smallvec::smallvec;

use self::run_fact::{RunBegun, RunFact, RunPlace};
pub use self::token::WorkflowToken;
use self::token::{Active, Workflow, steps_limit};
use super::facts::{limits_of, look};
use super::stored::{Stored, check_most, core, reset, span_text};
use crate::accounting::{Clock, Code, Key, Limit, Meter, Terms, Tick, Unit, Window, nanos};
use crate::ledger::{Account, Demand, Error, Heir, Heritable, MeterIndex, Policy};
use crate::store::{LimitId, Store};

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
    max_workflows: u64,
    max_steps: u64,
    period: Duration,
    active: Arc<Active>,
    /// Where all processes find the workflows.
    place: Option<RunPlace>,
    heir: Heir<Self>,
    /// When to look for workflows that nobody has any more.
    search_at: AtomicU64,
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
            parts: &[("period", &span_text(period))],
        };
        let meters = smallvec![stored.meter(limit.clone(), window)];
        let account = stored.account_with(&[limit], meters, |meters| {
            Account::new(&core, Key::fixed("workflows"), Code::WorkflowQuotaExceeded, meters)
        })?;
        let active = Arc::new(Active::default());
        let search_at = AtomicU64::new(core.clock().tick().plus(SEARCHES).raw());
        let keep = nanos(KEPT.max(period)) / 1_000;
        let place = store.map(|store| RunPlace { store, quota: name, keep });
        let heir = Heir::new();
        Ok(Self(Arc::new(Quota {
            account,
            max_workflows,
            max_steps,
            period,
            active,
            place,
            heir,
            search_at,
        })))
    }

    /// Begins a workflow. An id that is active already is refused. With `resume` its running token
    /// is returned.
    pub fn begin_workflow(&self, workflow_id: &str, resume: bool) -> Result<WorkflowToken, Error> {
        let key = Key::parse("workflow_id", workflow_id)?;
        let quota = self.0.here_shared()?;
        if let Some(place) = &quota.place {
            return quota.begin_in(place, &key, resume);
        }
        let taken = || match quota.active.lock().get(&key) {
            Some(running) if resume => Some(Ok(WorkflowToken(Arc::clone(running)))),
            Some(_) => Some(Err(taken_id(workflow_id))),
            None => None,
        };
        let begin = || {
            let token =
                WorkflowToken::new(quota.own_steps(&key), quota.max_steps, &quota.active, None);
            quota.active.lock().insert(key.clone(), Arc::clone(&token.0));
            Ok(token)
        };
        let begun = quota.account.charge_once(taken, &[Demand::new(FIRST, 1)], begin);
        if let Ok(Ok(token)) = &begun {
            quota.note_left(token.0.began);
        }
        begun.map_err(|error| named(error, &key))?
    }

    /// Ends a workflow. Returns false if no workflow of that id is active.
    pub fn end_workflow(&self, workflow_id: &str) -> Result<bool, Error> {
        let known = self.0.here()?.active.lock().get(workflow_id).cloned().map(WorkflowToken);
        match known {
            Some(token) if token.end()? => return Ok(true),
            None if self.0.here()?.place.is_none() => return Ok(false),
            // Another process may have begun one of that id.
            _ => {}
        }
        self.get(workflow_id)?.map_or(Ok(false), |token| token.end())
    }

    /// The active workflow with that id.
    pub fn get(&self, workflow_id: &str) -> Result<Option<WorkflowToken>, Error> {
        let quota = self.0.here_shared()?;
        let core = quota.account.core();
        let Some(place) = &quota.place else {
            return Ok(quota.active.lock().get(workflow_id).cloned().map(WorkflowToken));
        };
        let Ok(key) = Key::parse("workflow_id", workflow_id) else { return Ok(None) };
        match place.find(&key, core.clock().tick())? {
            Some(run) => quota.token(&key, run).map(Some),
            None => Ok(None),
        }
    }

    /// How many workflows are active.
    pub fn active_count(&self) -> Result<usize, Error> {
        let quota = self.0.here_shared()?;
        let core = quota.account.core();
        if let Some(place) = &quota.place {
            return place.count();
        }
        quota.forget(core.clock().tick());
        Ok(quota.active.lock().len())
    }

    /// How many workflows began in this period.
    pub fn period_count(&self) -> Result<u64, Error> {
        self.0.here()?.account.read(|meters, _| meters[0].used())
    }

    /// How many more may begin in this period.
    pub fn remaining(&self) -> Result<u64, Error> {
        self.0.here()?.account.read(|meters, _| meters[0].remaining().unwrap_or(u64::MAX))
    }

    /// The time until the next period.
    pub fn time_until_reset(&self) -> Result<Duration, Error> {
        self.0.here()?.account.read(|meters, now| meters[0].resets_in(now).unwrap_or_default())
    }

    /// Starts a new period now. Active workflows go on.
    pub fn reset(&self) -> Result<(), Error> {
        reset(&self.0.here()?.account)
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

impl Heritable for Quota {
    fn made_in(&self) -> u64 {
        self.account.core().generation()
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        Some(&self.heir)
    }

    /// The workflows that run are in the store.
    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let place = self.place.as_ref().ok_or(Error::Forked)?.present()?;
        let account = Arc::clone(self.account.here_shared()?);
        let search_at = AtomicU64::new(account.core().clock().tick().plus(SEARCHES).raw());
        Ok(Arc::new(Self {
            account,
            max_workflows: self.max_workflows,
            max_steps: self.max_steps,
            period: self.period,
            active: Arc::new(Active::default()),
            place: Some(place),
            heir: Heir::new(),
            search_at,
        }))
    }
}

impl Quota {
    /// Begins a workflow for all processes of a store, or goes on with it.
    fn begin_in(
        self: &Arc<Self>,
        place: &RunPlace,
        key: &Key,
        resume: bool,
    ) -> Result<WorkflowToken, Error> {
        let core = self.account.core();
        core.same_process()?;
        let limit = limits_of(&self.account)?[0].unwrap_or(LimitId(0));
        for tries in 0.. {
            let now = core.clock().now(true);
            match place.begin(key, now.wall_ns / 1_000, limit, now.tick)? {
                RunBegun::New(run) => {
                    let token = self.token(key, run);
                    self.note_left(now.tick);
                    return token;
                }
                RunBegun::Runs(run) if resume => {
                    let token = self.token(key, run)?;
                    look(&place.store, &token.0.account)?;
                    return Ok(token);
                }
                RunBegun::Runs(_) => return Err(taken_id(key.as_str())),
                // A period may just have ended.
                RunBegun::Full if tries == 0 && self.leaves_one()? => {}
                RunBegun::Full => break,
            }
        }
        Err(named(self.account.refused(&[Demand::new(FIRST, 1)], 0, Terms::Plain)?, key))
    }

    fn leaves_one(&self) -> Result<bool, Error> {
        self.account.read(|meters, _| meters[0].remaining() != Some(0))
    }

    /// The token of a workflow that runs: the one that this process has, or a new one.
    fn token(self: &Arc<Self>, key: &Key, run: RunFact) -> Result<WorkflowToken, Error> {
        let known = |active: &HashMap<Key, Arc<Workflow>>| {
            let known = active.get(key)?;
            let same = known.run.as_ref().is_some_and(|known| known.is(&run));
            same.then(|| WorkflowToken(Arc::clone(known)))
        };
        if let Some(token) = known(&self.active.lock()) {
            return Ok(token);
        }
        let steps = run.steps(self.account.core(), self.steps_limit())?;
        let mut active = self.active.lock();
        if let Some(token) = known(&active) {
            return Ok(token);
        }
        let token = WorkflowToken::new(steps, self.max_steps, &self.active, Some(run));
        let before = active.insert(key.clone(), Arc::clone(&token.0));
        drop(active);
        // It has ended elsewhere.
        before.map_or(Ok(false), |before| before.account.close())?;
        Ok(token)
    }

    /// The account of the steps of a workflow of this process alone.
    fn own_steps(&self, workflow: &Key) -> Arc<Account> {
        let meter = Meter::new(self.steps_limit(), Window::Lifetime);
        let (core, code) = (self.account.core(), Code::WorkflowQuotaExceeded);
        Account::new(core, workflow.clone(), code, [meter])
    }

    fn steps_limit(&self) -> Limit {
        steps_limit(self.max_steps)
    }

    /// Looks for workflows to forget, once in a while.
    fn note_left(&self, now: Tick) {
        if now.raw() >= self.search_at.load(Ordering::Relaxed) {
            self.forget(now);
        }
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

fn taken_id(workflow_id: &str) -> Error {
    Error::Conflict(format!(
        "workflow_id {workflow_id:?} is active already: end it first, or pass resume=True"
    ))
}

/// A refusal of the quota, with the workflow that it is about.
fn named(error: Error, key: &Key) -> Error {
    let Error::Denied(mut denied) = error else { return error };
    denied.id = Some(key.clone());
    Error::Denied(denied)
}
