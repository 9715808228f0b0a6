//! Forked children: an in-memory account of the parent would be a copy there, N children N times
//! the limit. So every account knows the process it was made in.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// To be called in a child after `fork`: the accounts that exist are refused from now on.
/// The Python package registers it; a Rust program that forks calls it itself.
pub fn after_fork_in_child() {
    // Relaxed: the child has one thread when it runs this.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The number of forks between the first process and this one.
#[inline]
pub(crate) fn generation() -> u64 {
    FORKS.load(Ordering::Relaxed)
}
