//! What this process has open, and how it comes through a fork.
//!
//! SQLite knows the locks of a process by the file. A child that inherits a connection believes that
//! it has locks which are its parent's. So all connections are closed before a fork, each process
//! opens its own on the next message, and a child never touches what its parent had.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, Weak};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use super::SqliteStore;
use super::writer::Writer;
use crate::ledger::fork_generation;

/// One process.
#[derive(Debug)]
pub(super) struct Home {
    id: (u32, u64),
    /// Whoever uses SQLite reads it; a fork writes it.
    pub(super) gate: RwLock<()>,
    /// The connections that are open.
    pub(super) open: AtomicUsize,
    pub(super) writers: Mutex<Vec<Weak<Writer>>>,
    pub(super) stores: Mutex<Vec<Weak<SqliteStore>>>,
    /// The home of a child of this process, in that child.
    child: OnceLock<Box<Self>>,
}

static FIRST: OnceLock<Home> = OnceLock::new();

thread_local! {
    static HELD: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

fn id() -> (u32, u64) {
    (std::process::id(), fork_generation())
}

impl Home {
    fn new() -> Self {
        Self {
            id: id(),
            gate: RwLock::new(()),
            open: AtomicUsize::new(0),
            writers: Mutex::new(Vec::new()),
            stores: Mutex::new(Vec::new()),
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
    let gate = home.gate.write();
    for writer in home.writers.lock().iter().filter_map(Weak::upgrade) {
        writer.close_for_fork();
    }
    HELD.with_borrow_mut(|held| *held = Some(gate));
}

/// Call this after `fork`, in the parent.
pub fn after_fork_in_parent() {
    HELD.with_borrow_mut(Option::take);
}

/// Call this after `fork`, in the child, before anything else of outlay.
pub fn after_fork_in_child() {
    // The gate is the parent's: nobody here waits for it.
    HELD.with_borrow_mut(|held| std::mem::forget(held.take()));
}
