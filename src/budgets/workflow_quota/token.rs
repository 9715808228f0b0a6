//! One workflow: its steps, and its handles.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::smallvec;

use super::run_fact::RunFact;
use crate::accounting::{Key, Limit, Tick, Unit};
use crate::budgets::facts::limits_of;
use crate::ledger::{Account, Ask, Demand, Error, Heir, Heritable, MeterIndex};
use crate::store::LimitId;

const FIRST: MeterIndex = MeterIndex(0);

/// The limit of the steps of a workflow.
pub(super) fn steps_limit(most: u64) -> Limit {
    Limit::new(Unit::Steps, Some(most))
}

/// The active workflows of a quota that this process has.
pub(super) type Active = Mutex<HashMap<Key, Arc<Workflow>>>;

/// One workflow. All its handles, also the one in the quota, share one counter. A quota forgets a
/// workflow that nobody has ended a day, or a period if that is longer, after its last handle is gone.
#[derive(Clone, Debug)]
pub struct WorkflowToken(pub(super) Arc<Workflow>);

#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) account: Arc<Account>,
    /// The fact that it runs, in a store.
    pub(super) run: Option<RunFact>,
    max_steps: u64,
    pub(super) began: Tick,
    /// When the last handle outside of the quota was dropped.
    pub(super) dropped: AtomicU64,
    ended: Mutex<Option<Tick>>,
    /// The active workflows of its quota.
    active: Weak<Active>,
    heir: Heir<Self>,
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

impl Workflow {
    /// Ends it here if it has ended in another process.
    #[cold]
    fn hear(&self, run: &RunFact) -> Result<(), Error> {
        let now = self.account.core().clock().tick();
        if !run.runs(now)? && self.account.close()? {
            *self.ended.lock() = Some(now);
        }
        Ok(())
    }
}

impl WorkflowToken {
    pub(super) fn new(
        steps: Arc<Account>,
        max_steps: u64,
        active: &Arc<Active>,
        run: Option<RunFact>,
    ) -> Self {
        let now = steps.core().clock().now(run.is_some());
        let ran = run.as_ref().map_or(0, |run| now.wall_ns.saturating_sub(run.began * 1_000));
        let began = now.tick.minus(Duration::from_nanos(u64::try_from(ran).unwrap_or(0)));
        Self(Arc::new(Workflow {
            account: steps,
            run,
            max_steps,
            began,
            dropped: AtomicU64::new(now.tick.raw()),
            ended: Mutex::new(None),
            active: Arc::downgrade(active),
            heir: Heir::new(),
        }))
    }

    /// Takes `n` steps, or refuses and takes none.
    #[inline]
    pub fn execute_step(&self, n: u64) -> Result<(), Error> {
        let workflow = self.0.here()?;
        if let Some(run) = &workflow.run {
            workflow.hear(run)?;
        }
        workflow.account.charge(&[Demand::new(FIRST, n)])
    }

    /// The ask of one step, to charge it together with others.
    pub fn ask(&self, n: u64) -> Ask {
        let workflow = self.0.here().unwrap_or(&self.0);
        if let Some(run) = &workflow.run {
            // What is wrong here, the request says.
            let _ = workflow.hear(run);
        }
        Ask::new(&workflow.account, smallvec![Demand::new(FIRST, n)])
    }

    /// Steps left. Zero once the workflow has ended.
    pub fn remaining_steps(&self) -> Result<u64, Error> {
        if self.0.here()?.account.is_closed()? {
            return Ok(0);
        }
        self.0.here()?.account.read(|meters, _| meters[0].remaining().unwrap_or(u64::MAX))
    }

    /// Steps taken.
    pub fn steps_executed(&self) -> Result<u64, Error> {
        self.0.here()?.account.read(|meters, _| meters[0].used())
    }

    /// The time from its beginning to now, or to its end.
    pub fn duration(&self) -> Result<Duration, Error> {
        let workflow = self.0.here()?;
        let core = workflow.account.core();
        let until = workflow.ended.lock().unwrap_or_else(|| core.clock().tick());
        Ok(until.since(workflow.began))
    }

    /// Whether a further step would be admitted.
    pub fn can_continue(&self) -> Result<bool, Error> {
        Ok(self.remaining_steps()? > 0)
    }

    /// Ends the workflow. Returns false if it had ended.
    pub fn end(&self) -> Result<bool, Error> {
        let workflow = self.0.here()?;
        let answer = match &workflow.run {
            Some(run) => Some(run.end(limits_of(&workflow.account)?[0].unwrap_or(LimitId(0)))?),
            None => None,
        };
        // First it leaves the active ones, so that nobody gets a token that has ended.
        if let Some(active) = workflow.active.upgrade() {
            let mut active = active.lock();
            let ours = active
                .get(workflow.account.key())
                .is_some_and(|own| std::ptr::eq(&**own, workflow));
            if ours {
                active.remove(workflow.account.key());
            }
        }
        let closed = workflow.account.close()?;
        let ended = answer.unwrap_or(closed);
        if closed {
            *workflow.ended.lock() = Some(workflow.account.core().clock().tick());
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
        &self.0.here().unwrap_or(&self.0).account
    }
}

impl Heritable for Workflow {
    fn made_in(&self) -> u64 {
        self.account.core().generation()
    }

    fn heir(&self) -> Option<&Heir<Self>> {
        Some(&self.heir)
    }

    fn make_heir(&self) -> Result<Arc<Self>, Error> {
        let run = self.run.as_ref().ok_or(Error::Forked)?.present()?;
        let account = run.steps_beside(self.account.core(), steps_limit(self.max_steps))?;
        let dropped = AtomicU64::new(account.core().clock().tick().raw());
        let (max_steps, began, ended) = (self.max_steps, self.began, Mutex::new(None));
        let (active, heir, run) = (Weak::new(), Heir::new(), Some(run));
        Ok(Arc::new(Self { account, run, max_steps, began, dropped, ended, active, heir }))
    }
}

impl PartialEq for WorkflowToken {
    /// Handles of the same workflow.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WorkflowToken {}
