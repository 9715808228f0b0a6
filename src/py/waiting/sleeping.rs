//! How a waiting thread sleeps: without the GIL; or as a greenlet, so that the others run.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use super::wake::call_wake;
use crate::ledger::{Mailbox, Sleeper};
use crate::py::python_call::{call_python, sleep_detached};

/// How often a waiting main thread checks for Ctrl-C.
const SIGNALS: Duration = Duration::from_millis(50);
/// How often a greenlet that nothing can wake checks whether it was served.
const GLANCES: Duration = Duration::from_millis(10);

/// The sleep of one wait.
pub(super) enum Sleep<'py> {
    /// In a thread of its own.
    Thread { sleeper: Arc<Sleeper>, main: bool },
    /// On an event of gevent, which any thread may set.
    Gevent { event: Bound<'py, PyAny> },
    /// In the `time.sleep` of eventlet, whose locks cannot be released by other threads.
    Green { sleep: Bound<'py, PyAny> },
}

impl<'py> Sleep<'py> {
    /// The sleep of the calling thread or greenlet, and the mailbox that wakes it.
    pub(super) fn new(py: Python<'py>) -> PyResult<(Self, Arc<Mailbox>)> {
        // This runs Python code. At exit a daemon thread must not be in such code.
        let asked = call_python(|| Ok::<_, PyErr>((green(py)?, is_main_thread(py)?)));
        let (green, main) = asked.transpose()?.unwrap_or((None, false));
        let Some(green) = green else {
            let sleeper = Sleeper::new();
            let mailbox = Mailbox::for_thread(&sleeper);
            return Ok((Self::Thread { sleeper, main }, mailbox));
        };
        let mailbox = match &green {
            Self::Gevent { event } => {
                let wake = event.getattr("set")?.unbind();
                Mailbox::alone(move || call_wake(&wake))
            }
            _ => Mailbox::alone(|| ()),
        };
        Ok((green, mailbox))
    }

    /// Sleeps until the mailbox is woken, or for `limit`. Ctrl-C ends it.
    pub(super) fn sleep(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<()> {
        let at_most = |most: Duration| limit.map_or(most, |limit| limit.min(most));
        match self {
            Self::Thread { sleeper, main } => {
                let limit = if *main { Some(at_most(SIGNALS)) } else { limit };
                // All accounts are locked while the GIL is held, so a fork finds none of their
                // locks taken.
                sleep_detached(py, || sleeper.sleep(limit));
                py.check_signals()
            }
            Self::Gevent { event } => {
                event.call_method1("wait", (at_most(Sleeper::LONGEST).as_secs_f64(),))?;
                event.call_method0("clear").map(drop)
            }
            Self::Green { sleep } => sleep.call1((at_most(GLANCES).as_secs_f64(),)).map(drop),
        }
    }
}

/// How a greenlet sleeps, if `threading` is patched so that its locks are those of greenlets.
fn green(py: Python<'_>) -> PyResult<Option<Sleep<'_>>> {
    if !py.import("sys")?.getattr("modules")?.contains("greenlet")? {
        return Ok(None);
    }
    let threading = py.import("threading")?;
    let locks: String = threading.getattr("Lock")?.getattr("__module__")?.extract()?;
    Ok(match locks.split('.').next() {
        Some("gevent") => Some(Sleep::Gevent { event: threading.call_method0("Event")? }),
        Some("eventlet") => Some(Sleep::Green { sleep: py.import("time")?.getattr("sleep")? }),
        _ => None,
    })
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}
