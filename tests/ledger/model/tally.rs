//! How often the interesting things happened: a test that never met them shows nothing.

use std::sync::atomic::{AtomicU64, Ordering};

static ADMITTED: AtomicU64 = AtomicU64::new(0);
static WAYS_OUT: AtomicU64 = AtomicU64::new(0);
static NO_WAY_OUT: AtomicU64 = AtomicU64::new(0);
static RAN_OUT: AtomicU64 = AtomicU64::new(0);
static LATE: AtomicU64 = AtomicU64::new(0);
static OVER_SEVERAL: AtomicU64 = AtomicU64::new(0);
static RETRIED: AtomicU64 = AtomicU64::new(0);

fn count(what: &AtomicU64) {
    // Relaxed: only the sums are read, at the end.
    what.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn admitted() {
    count(&ADMITTED);
}

pub(crate) fn way_out(passes: bool) {
    count(if passes { &WAYS_OUT } else { &NO_WAY_OUT });
}

pub(crate) fn ran_out() {
    count(&RAN_OUT);
}

pub(crate) fn committed_late() {
    count(&LATE);
}

pub(crate) fn leased_over_several() {
    count(&OVER_SEVERAL);
}

pub(crate) fn retried() {
    count(&RETRIED);
}

/// (name, how often).
pub(crate) fn all() -> [(&'static str, u64); 7] {
    let read = |what: &AtomicU64| what.load(Ordering::Relaxed);
    [
        ("admitted", read(&ADMITTED)),
        ("exact retry_after", read(&WAYS_OUT)),
        ("refusals for ever", read(&NO_WAY_OUT)),
        ("retried", read(&RETRIED)),
        ("leases over several accounts", read(&OVER_SEVERAL)),
        ("leases that ran out", read(&RAN_OUT)),
        ("commits after that", read(&LATE)),
    ]
}
