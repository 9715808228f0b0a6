//! Calls of Python code from Rust, and the end of the interpreter.
//!
//! Before CPython 3.14, finalizing the interpreter ends a daemon thread with `pthread_exit` when it
//! wants to go on. That cannot unwind a Rust frame, so the process aborts. So at exit running calls
//! are waited for, at most 5 seconds, and other threads begin none.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
static EXITING: AtomicBool = AtomicBool::new(false);
static EXIT_THREAD: OnceLock<ThreadId> = OnceLock::new();
/// How long the exit waits for running calls, in steps.
const STEP: Duration = Duration::from_millis(1);
const STEPS: u32 = 5000;
/// How long the exit waits for stores to take their shares back.
const LAST: Duration = Duration::from_millis(200);
const A_WHILE: Duration = Duration::from_secs(2);

/// Calls `code`, which may run any Python. `None` if the interpreter is exiting.
pub(super) fn call_python<R>(code: impl FnOnce() -> R) -> Option<R> {
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    let _ended = Ended;
    let going = EXITING.load(Ordering::SeqCst);
    if going && EXIT_THREAD.get() != Some(&thread::current().id()) {
        return None;
    }
    Some(code())
}

/// Logs a warning for the operator.
pub(super) fn log_warning(said: &str) {
    Python::attach(|py| {
        let logged = call_python(|| {
            let logger = py.import("logging")?.call_method1("getLogger", ("outlay",))?;
            logger.call_method1("warning", ("%s", said))
        });
        if let Some(Err(error)) = logged {
            error.write_unraisable(py, None);
        }
    });
}

/// Calls `code`, which may run any Python, even if the interpreter is exiting. It is then called
/// after a delay. By then a daemon thread is gone with its process, and a thread that is waited for
/// goes on.
pub(super) fn call_python_late<R>(py: Python<'_>, code: impl Fn() -> R) -> R {
    call_python(&code).unwrap_or_else(|| {
        py.detach(|| thread::sleep(A_WHILE));
        code()
    })
}

/// Lets other threads run while this one sleeps. At exit a daemon thread does not come back.
pub(super) fn sleep_detached(py: Python<'_>, sleep: impl FnOnce() + Send) {
    detached(py, sleep);
}

/// Lets other threads run during `call`, which blocks. At exit a daemon thread does not come back.
pub(super) fn detached<R: Send>(py: Python<'_>, call: impl FnOnce() -> R + Send) -> R {
    let (done, coming_back) = py.detach(|| {
        let done = call();
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        let coming_back = Ended;
        let exits_here = || EXIT_THREAD.get() == Some(&thread::current().id());
        if EXITING.load(Ordering::SeqCst) && !exits_here() {
            drop(coming_back);
            loop {
                thread::park();
            }
        }
        (done, coming_back)
    });
    drop(coming_back);
    done
}

/// How a thread sleeps that waits for a store.
pub(super) fn sleep_for_store(sleep: &mut (dyn FnMut() + Send)) {
    // This thread is attached in nearly all cases. In one that is not, attaching costs a moment.
    if Python::try_attach(|py| sleep_detached(py, &mut *sleep)).is_none() {
        sleep();
    }
}

/// Forgets the calls of the parent: a forked child has one thread and none of them.
fn forget_calls() {
    UNDER_WAY.store(0, Ordering::SeqCst);
}

struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        // Never below zero: a child that was forked inside a call has forgotten that call.
        let less = |calls: usize| calls.checked_sub(1);
        let _ = UNDER_WAY.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }
}

#[doc = stub!("at_exit")]
#[pyfunction]
pub(crate) fn at_exit(py: Python<'_>) {
    let _ = EXIT_THREAD.set(thread::current().id());
    EXITING.store(true, Ordering::SeqCst);
    py.detach(|| {
        crate::store::close_all(LAST);
        for _ in 0..STEPS {
            if UNDER_WAY.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(STEP);
        }
    });
}

thread_local! {
    /// Whether a call is running that can raise what a callback raises.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static INTERRUPTION: Cell<Option<PyErr>> = const { Cell::new(None) };
}

/// Calls `step`, and then raises what a callback raised in it that is no `Exception`.
pub(super) fn interruptible<R>(step: impl FnOnce() -> R) -> PyResult<R> {
    let outer = LISTENING.replace(true);
    let result = step();
    LISTENING.set(outer);
    INTERRUPTION.take().map_or(Ok(result), Err)
}

/// Keeps what a callback raised, for the running call that can raise it. Returns it if there is
/// none.
pub(super) fn raise_later(error: PyErr) -> Option<PyErr> {
    if !LISTENING.get() {
        return Some(error);
    }
    INTERRUPTION.set(Some(error));
    None
}

#[doc = stub!("before_fork")]
#[pyfunction]
pub(crate) fn before_fork() {
    crate::store::fork::before_fork();
}

#[doc = stub!("after_fork_in_parent")]
#[pyfunction]
pub(crate) fn after_fork_in_parent() {
    crate::store::fork::after_fork_in_parent();
}

#[doc = stub!("after_fork_in_child")]
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    crate::ledger::after_fork_in_child();
    forget_calls();
}
