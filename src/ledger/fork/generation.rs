//! How many forks there were before this process.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Call this in a child after `fork`. The accounts that exist then refuse every request, unless
/// they have a store. The Python package registers it; a Rust program that forks calls it itself.
pub fn after_fork_in_child() {
    // Relaxed: the child has one thread when it runs this.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The number of forks between the first process and this one.
#[inline]
pub(crate) fn generation() -> u64 {
    FORKS.load(Ordering::Relaxed)
}
