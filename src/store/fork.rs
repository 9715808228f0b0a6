//! What is done around a fork.

use crate::ledger::{after_fork_in_parent_of_ledger, before_fork_of_ledger};

/// Call this before `fork`, in the thread that forks. It waits for what must not be cut in two: a
/// commit to a SQLite store, and changes of what a child takes over. The Python package registers
/// it; a Rust program that forks calls it itself.
pub fn before_fork() {
    #[cfg(feature = "sqlite")]
    super::sqlite::before_fork();
    before_fork_of_ledger();
}

/// Call this after `fork`, in the parent. In the child [`after_fork_in_child`] is called.
///
/// [`after_fork_in_child`]: crate::after_fork_in_child
pub fn after_fork_in_parent() {
    after_fork_in_parent_of_ledger();
    #[cfg(feature = "sqlite")]
    super::sqlite::after_fork_in_parent();
}
