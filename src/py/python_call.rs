//! Calls of Python code from Rust, and the end of the interpreter.
//!
//! Before CPython 3.14 a daemon thread that wants to go on once the interpreter is being finalized
//! is unwound by `pthread_exit`, which cannot pass through a Rust frame: the process aborts. So at
//! exit the calls under way are waited for, and a thread that would begin one stays where it is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static EXITING: AtomicBool = AtomicBool::new(false);
static EXIT_THREAD: OnceLock<ThreadId> = OnceLock::new();
/// How long the exit waits for calls under way, in steps.
const STEP: Duration = Duration::from_millis(1);
const STEPS: u32 = 500;

/// Calls `code`, which may run any Python.
pub(super) fn call_python<R>(py: Python<'_>, code: impl FnOnce() -> R) -> R {
    if EXITING.load(Ordering::SeqCst) && EXIT_THREAD.get() != Some(&thread::current().id()) {
        // As CPython >= 3.14 does with such a thread.
        py.detach(|| {
            loop {
                thread::park();
            }
        });
    }
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    let _ended = Ended;
    code()
}

struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for the Python code that runs under Rust; the package registers it with `atexit`.
#[pyfunction]
pub(crate) fn at_exit(py: Python<'_>) {
    let _ = EXIT_THREAD.set(thread::current().id());
    EXITING.store(true, Ordering::SeqCst);
    py.detach(|| {
        for _ in 0..STEPS {
            if UNDER_WAY.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(STEP);
        }
    });
}
