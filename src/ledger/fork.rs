//! Detects forked children. In a child an account would be a copy: N children could spend N times
//! the limit. So every account knows the process that made it.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Call this in a child after `fork`. The accounts that exist then refuse every request. The Python
/// package registers it; a Rust program that forks calls it itself.
pub fn after_fork_in_child() {
    // Relaxed: the child has one thread when it runs this.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The number of forks between the first process and this one.
#[inline]
pub(crate) fn generation() -> u64 {
    FORKS.load(Ordering::Relaxed)
}
