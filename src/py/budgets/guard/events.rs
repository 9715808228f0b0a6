//! The callbacks of `Guard.events`. They are called under no lock.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::event::event;
use crate::budgets::Guard;
use crate::ledger::Event;
use crate::py::python_call::call_python;

/// The callbacks. The guard shows them to the garbage collector, because a callback may hold its
/// guard.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Py<PyAny>>>);

impl Listeners {
    /// Calls `callback` for every event from now on.
    pub(super) fn listen(self: &Arc<Self>, guard: &Guard, callback: Py<PyAny>) {
        let first = {
            let mut callbacks = self.0.lock();
            callbacks.push(callback);
            callbacks.len() == 1
        };
        if first {
            let listeners = Arc::clone(self);
            guard.subscribe(move |happened| Python::attach(|py| listeners.notify(py, happened)));
        }
    }

    fn notify(&self, py: Python<'_>, happened: &Event) {
        let callbacks: Vec<Py<PyAny>> =
            self.0.lock().iter().map(|callback| callback.clone_ref(py)).collect();
        for callback in callbacks {
            // A lease may be dropped while an exception is raised. That exception goes on
            // afterwards.
            let flying = PyErr::take(py);
            let called = call_python(|| callback.call1(py, (event(py, happened)?,)));
            if let Some(Err(error)) = called {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
            if let Some(error) = flying {
                error.restore(py);
            }
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The lock is about to be released. This collection then sees no callbacks.
        let Some(callbacks) = self.0.try_lock() else { return Ok(()) };
        callbacks.iter().try_for_each(|callback| visit.call(callback))
    }

    pub(super) fn clear(&self) {
        // Dropped outside of the lock: an object that a callback holds may cause events at its end.
        let callbacks = std::mem::take(&mut *self.0.lock());
        drop(callbacks);
    }
}
