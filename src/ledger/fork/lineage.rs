//! What each process of a line of forks has of its own: a gate that no fork passes while it is open,
//! and the lock under which heirs are made. A child never waits for a lock of its parent: a thread
//! may hold it that is not there any more.

use std::cell::Cell;
use std::fmt;

use once_cell::race::OnceBox;
use parking_lot::{Mutex, ReentrantMutex, ReentrantMutexGuard};

use super::gate::{Gate, GatePass};
use super::generation::generation;

/// One process.
struct LineProcess {
    generation: u64,
    /// Whoever changes what a child takes over passes it.
    gate: Gate,
    making: ReentrantMutex<()>,
    /// A child of this process, in that child.
    child: OnceBox<Self>,
}

static FIRST: LineProcess = LineProcess::new(0);

thread_local! {
    /// The gate during a fork. In the child it is the parent's, and is never opened.
    static HELD: Cell<Option<&'static Gate>> = const { Cell::new(None) };
}

impl LineProcess {
    const fn new(generation: u64) -> Self {
        let (gate, making) = (Gate::new(), ReentrantMutex::new(()));
        Self { generation, gate, making, child: OnceBox::new() }
    }

    fn here() -> &'static Self {
        let (mut process, generation) = (&FIRST, generation());
        while process.generation != generation {
            process = process.child.get_or_init(|| Box::new(Self::new(generation)));
        }
        process
    }
}

/// Until the fork is over, nothing changes that a child takes over.
pub(crate) fn before_fork() {
    let gate = &LineProcess::here().gate;
    gate.shut();
    HELD.set(Some(gate));
}

/// The fork is over, in the parent.
pub(crate) fn after_fork_in_parent() {
    if let Some(gate) = HELD.take() {
        gate.open();
    }
}

/// No fork comes while this lives, if it is announced. It is held for moments: the thread that forks
/// may have the lock of an interpreter.
pub(crate) fn no_fork() -> GatePass<'static> {
    LineProcess::here().gate.pass()
}

/// The lock under which this process makes what it inherits.
pub(crate) fn making() -> ReentrantMutexGuard<'static, ()> {
    LineProcess::here().making.lock()
}

/// A value that a child takes over. It is never locked during a fork.
pub(crate) struct Inherited<T>(Mutex<T>);

impl<T> Inherited<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Reads or changes it. `act` is short, and calls nothing that may wait.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let _no_fork = no_fork();
        act(&mut self.0.lock())
    }
}

impl<T> fmt::Debug for Inherited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inherited").finish_non_exhaustive()
    }
}
