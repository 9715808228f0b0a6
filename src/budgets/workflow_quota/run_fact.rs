//! The fact that a workflow runs: which process began it, and that it has not ended in another one.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use smallvec::smallvec;

use crate::accounting::{Clock, Code, Key, Limit, Tick, Window};
use crate::budgets::facts::{FactGroup, FactValue, learning, written};
use crate::budgets::stored::{Stored, core};
use crate::ledger::{Account, Core, Error};
use crate::store::{Change, Fact, FactGiven, LimitId, Moved, Store};

/// For so long a process goes on with a workflow before it asks whether another one has ended it.
const BEAT: Duration = Duration::from_secs(5);

/// Where the workflows of a quota are kept.
#[derive(Clone, Debug)]
pub(super) struct RunPlace {
    pub(super) store: Arc<Store>,
    /// The quota.
    pub(super) quota: String,
    /// For how long a workflow is kept that no process uses, in microseconds.
    pub(super) keep: u64,
}

/// A workflow that runs, as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    workflow: String,
    /// Microseconds since 1970 UTC.
    began: i64,
}

/// A workflow that runs, as this process knows it.
#[derive(Debug)]
pub(super) struct RunFact {
    place: RunPlace,
    workflow: Key,
    version: u64,
    /// When it began, in microseconds since 1970 UTC.
    pub(super) began: i64,
    /// When the store last said that it runs.
    asked: AtomicU64,
}

/// How a beginning went.
#[derive(Debug)]
pub(super) enum RunBegun {
    /// This process has begun it.
    New(RunFact),
    /// It runs already.
    Runs(RunFact),
    /// No more may begin in this period.
    Full,
}

impl FactValue for Running {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.workflow)
    }
}

impl RunPlace {
    /// The same in this process.
    pub(super) fn present(&self) -> Result<Self, Error> {
        Ok(Self { store: self.store.present()?, ..self.clone() })
    }

    fn group(&self) -> FactGroup<'_> {
        FactGroup { kind: "workflow", owner: &self.quota }
    }

    fn fact(&self, workflow: &Key, seen: u64, change: Change) -> Result<FactGiven, Error> {
        let id = self.group().id(workflow.as_str());
        self.store.fact(Fact { id, seen, keep: self.keep, change })
    }

    /// Begins a workflow at `began`, and counts it in `limit`: in one step, unless it runs.
    pub(super) fn begin(
        &self,
        workflow: &Key,
        began: i64,
        limit: LimitId,
        now: Tick,
    ) -> Result<RunBegun, Error> {
        let value = written(&Running { workflow: workflow.as_str().to_owned(), began })?;
        let change = Change::Put(value, vec![Moved::add(limit, 1)]);
        let given = self.fact(workflow, Fact::NONE, change)?;
        let run = self.run(workflow, &given, now)?;
        match run {
            Some(run) if given.changed => Ok(RunBegun::New(run)),
            Some(run) => Ok(RunBegun::Runs(run)),
            None if given.lacks.is_some() => Ok(RunBegun::Full),
            None => Err(learning("workflow", workflow.as_str())),
        }
    }

    fn run(&self, workflow: &Key, given: &FactGiven, now: Tick) -> Result<Option<RunFact>, Error> {
        let running: Option<Running> = self.group().value(workflow.as_str(), given)?;
        Ok(running.map(|running| RunFact {
            place: self.clone(),
            workflow: workflow.clone(),
            version: given.version,
            began: running.began,
            asked: AtomicU64::new(now.raw()),
        }))
    }

    /// The workflow of that id, if it runs.
    pub(super) fn find(&self, workflow: &Key, now: Tick) -> Result<Option<RunFact>, Error> {
        let given = self.fact(workflow, Fact::ANY, Change::Read)?;
        self.run(workflow, &given, now)
    }

    /// How many run.
    pub(super) fn count(&self) -> Result<usize, Error> {
        Ok(self.group().all::<Running>(&self.store)?.len())
    }
}

impl RunFact {
    /// The same in this process, a child of the one that had it.
    pub(super) fn present(&self) -> Result<Self, Error> {
        let asked = AtomicU64::new(0);
        let (workflow, place) = (self.workflow.clone(), self.place.present()?);
        Ok(Self { place, workflow, version: self.version, began: self.began, asked })
    }

    /// The account of its steps. All processes find it by its beginning.
    pub(super) fn steps(&self, core: &Arc<Core>, limit: Limit) -> Result<Arc<Account>, Error> {
        let Self { place, workflow, .. } = self;
        let stored = Stored {
            store: Some(&place.store),
            class: "Workflow",
            id: workflow.as_str(),
            parts: &[("quota", &place.quota), ("began", &self.beginning())],
        };
        let meters = smallvec![stored.meter(limit, Window::Lifetime).following()];
        stored.account(meters, |meters| {
            Account::new(core, workflow.clone(), Code::WorkflowQuotaExceeded, meters)
        })
    }

    /// The account of its steps in this process, a child of the one that had it.
    pub(super) fn steps_beside(&self, parents: &Core, limit: Limit) -> Result<Arc<Account>, Error> {
        let core = core(Some(&self.place.store), Clock::System, *parents.policy())?;
        core.take_listeners(parents);
        self.steps(&core, limit)
    }

    /// What tells it from another one with the same id.
    fn beginning(&self) -> String {
        format!("{}.{}", self.began, self.version)
    }

    /// Whether it is the same one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.version == other.version && self.workflow == other.workflow
    }

    /// Whether it still runs, as far as this process must know: it is asked once a beat.
    pub(super) fn runs(&self, now: Tick) -> Result<bool, Error> {
        let asked = Tick::from_raw(self.asked.load(Ordering::Relaxed));
        if now.since(asked) < BEAT {
            return Ok(true);
        }
        let found = match self.place.find(&self.workflow, now) {
            // As long as the store is away, the share is good.
            Err(Error::Store(_)) => return Ok(true),
            found => found?,
        };
        let runs = found.is_some_and(|found| found.is(self));
        if runs {
            // Relaxed: two threads that ask at once do no harm.
            self.asked.store(now.raw(), Ordering::Relaxed);
        }
        Ok(runs)
    }

    /// Ends it, in all processes: none gets more of `steps`. Returns false if it had ended.
    pub(super) fn end(&self, steps: LimitId) -> Result<bool, Error> {
        let change = Change::Remove(vec![Moved::set(steps, 0)]);
        let given = self.place.fact(&self.workflow, self.version, change)?;
        if !given.changed && given.stands() && given.version == self.version {
            return Err(learning("workflow", self.workflow.as_str()));
        }
        Ok(given.changed)
    }
}
