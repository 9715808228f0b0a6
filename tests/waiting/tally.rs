//! How often what happened.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often waits ended how: histories in which nothing happened would agree too.
static TALLY: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];
const ENDS: [&str; 7] = [
    "given at once",
    "given later",
    "given later over two accounts",
    "slots given later",
    "timed out in the queue",
    "denied in the queue",
    "given back",
];

pub(crate) fn count(end: usize) {
    TALLY[end].fetch_add(1, Ordering::Relaxed);
}

/// Each end, and how often it came.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, u64)> {
    ENDS.into_iter().zip(TALLY.iter().map(|times| times.load(Ordering::Relaxed)))
}
