//! What this process has open, and how it comes through a fork.
//!
//! SQLite knows the locks of a process by the file. A child that inherits a connection believes that
//! it has locks which are its parent's. So all connections are closed before a fork, each process
//! opens its own on the next message, and a child never touches what its parent had.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::ledger::{Gate, fork_generation};

/// Something that a process has one of for each file.
pub(super) trait HomeEntry: Any + fmt::Debug + Send + Sync {
    /// Closes its connection until it is used again. The caller holds the gate.
    fn close_for_fork(&self) {}
}

/// A list of what is kept, and of what is in use no longer.
#[derive(Debug, Default)]
pub(super) struct List(Vec<Weak<dyn HomeEntry>>);

impl List {
    /// Those of one kind that are in use.
    pub(super) fn all<T: HomeEntry>(&mut self) -> Vec<Arc<T>> {
        self.0.retain(|kept| kept.strong_count() > 0);
        let kept = self.0.iter().filter_map(Weak::upgrade);
        kept.filter_map(|kept| Arc::downcast(kept as Arc<dyn Any + Send + Sync>).ok()).collect()
    }

    pub(super) fn add<T: HomeEntry>(&mut self, kept: &Arc<T>) {
        let kept: Weak<T> = Arc::downgrade(kept);
        self.0.push(kept);
    }
}

/// One process.
#[derive(Debug)]
pub(super) struct Home {
    id: (u32, u64),
    /// Whoever uses SQLite passes it.
    pub(super) gate: Gate,
    /// The connections that are open.
    pub(super) open: AtomicUsize,
    pub(super) writers: Mutex<List>,
    pub(super) stores: Mutex<List>,
    /// The home of a child of this process, in that child.
    child: OnceLock<Box<Self>>,
}

static FIRST: OnceLock<Home> = OnceLock::new();

thread_local! {
    /// The gate during a fork. In the child it is the parent's, and is never opened.
    static HELD: Cell<Option<&'static Gate>> = const { Cell::new(None) };
}

fn id() -> (u32, u64) {
    (std::process::id(), fork_generation())
}

impl Home {
    fn new() -> Self {
        Self {
            id: id(),
            gate: Gate::new(),
            open: AtomicUsize::new(0),
            writers: Mutex::default(),
            stores: Mutex::default(),
            child: OnceLock::new(),
        }
    }

    /// That of this process.
    pub(super) fn here() -> &'static Self {
        let mut home = FIRST.get_or_init(Self::new);
        let id = id();
        while home.id != id {
            home = home.child.get_or_init(|| Box::new(Self::new()));
        }
        home
    }

    /// Whether this is the process that it was made in.
    pub(super) fn is_here(&self) -> bool {
        self.id == id()
    }

    /// Whether a process before this one was forked while it had a file open.
    pub(super) fn inherits(&self) -> bool {
        let mut home = FIRST.get();
        while let Some(other) = home.filter(|other| !std::ptr::eq(*other, self)) {
            // Relaxed: the one thread of a child sees what its parent had written.
            if other.open.load(Ordering::Relaxed) > 0 {
                return true;
            }
            home = other.child.get().map(|child| &**child);
        }
        false
    }
}

/// Call this before `fork`, in the thread that forks. It waits for the commit that is under way, and
/// closes all SQLite stores; each opens again with its next message. The Python package registers
/// it; a Rust program that forks calls it itself.
pub fn before_fork() {
    let Some(home) = FIRST.get().map(|_| Home::here()) else { return };
    // In the order in which a file is opened.
    let writers = home.writers.lock();
    home.gate.shut();
    for kept in writers.0.iter().filter_map(Weak::upgrade) {
        kept.close_for_fork();
    }
    HELD.set(Some(&home.gate));
}

/// Call this after `fork`, in the parent. In the child [`after_fork_in_child`] is called.
///
/// [`after_fork_in_child`]: crate::after_fork_in_child
pub fn after_fork_in_parent() {
    if let Some(gate) = HELD.take() {
        gate.open();
    }
}
