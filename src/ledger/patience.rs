//! What a thread does that has to wait for a store: it sleeps as its host wants it, or not at all.

use std::cell::Cell;
use std::sync::OnceLock;

/// Lets a thread sleep by calling what it is given, once.
pub type HostSleep = fn(&mut (dyn FnMut() + Send));

static HOST_SLEEP: OnceLock<HostSleep> = OnceLock::new();

thread_local! {
    static IMPATIENT: Cell<bool> = const { Cell::new(false) };
}

/// From now on threads that wait for a store sleep in `host`: an interpreter lets its other threads
/// run meanwhile. The first that is set stays.
pub fn set_host_sleep(host: HostSleep) {
    let _ = HOST_SLEEP.set(host);
}

/// Sleeps by calling `sleep`, as the host wants it.
pub(crate) fn sleep_for_store(mut sleep: impl FnMut() + Send) {
    match HOST_SLEEP.get() {
        Some(host) => host(&mut sleep),
        None => sleep(),
    }
}

/// Calls `call`. Requests in it that lack a share fail with [`Error::Short`](super::Error::Short)
/// instead of waiting for the store in this thread.
pub fn without_store<R>(call: impl FnOnce() -> R) -> R {
    let outer = IMPATIENT.replace(true);
    let _ends = Restores(outer);
    call()
}

/// Whether this thread may wait for a store.
pub(crate) fn may_wait() -> bool {
    !IMPATIENT.get()
}

struct Restores(bool);

impl Drop for Restores {
    fn drop(&mut self) {
        IMPATIENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_patient_again_after_the_outermost_call() {
        assert!(may_wait());
        without_store(|| {
            without_store(|| assert!(!may_wait()));
            assert!(!may_wait(), "the inner call was in an outer one");
        });
        assert!(may_wait());
    }
}
