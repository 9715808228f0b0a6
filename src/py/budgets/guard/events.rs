//! The callbacks of `Guard.events`. They are called under no lock.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::event::event;
use super::store_event::{is_of_guards, store_event};
use crate::budgets::Guard;
use crate::py::python_call::call_python;
use crate::store::Store;

/// The callbacks. The guard shows them to the garbage collector, because a callback may hold its
/// guard.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Py<PyAny>>>);

impl Listeners {
    /// Calls `callback` for every event from now on.
    pub(super) fn listen(
        self: &Arc<Self>,
        guard: &Guard,
        store: Option<&Store>,
        callback: Py<PyAny>,
    ) {
        let first = {
            let mut callbacks = self.0.lock();
            callbacks.push(callback);
            callbacks.len() == 1
        };
        if first {
            if let Some(store) = store {
                // Weak: a store lives longer than the guards that use it.
                let (listeners, clock) = (Arc::downgrade(self), guard.core().clock().clone());
                store.listen(move |happened| {
                    let Some(listeners) = listeners.upgrade() else { return };
                    if is_of_guards(happened) {
                        call_python(|| {
                            Python::attach(|py| {
                                listeners.notify(py, || store_event(py, happened, &clock));
                            });
                        });
                    }
                });
            }
            let listeners = Arc::clone(self);
            // Counted before it attaches, as the thread of a store may come here at exit.
            guard.subscribe(move |happened| {
                call_python(|| Python::attach(|py| listeners.notify(py, || event(py, happened))));
            });
        }
    }

    /// Whether there is one.
    pub(super) fn any(&self) -> bool {
        !self.0.lock().is_empty()
    }

    fn notify<'py>(&self, py: Python<'py>, make: impl Fn() -> PyResult<Bound<'py, PyDict>>) {
        let callbacks: Vec<Py<PyAny>> =
            self.0.lock().iter().map(|callback| callback.clone_ref(py)).collect();
        for callback in callbacks {
            // A lease may be dropped while an exception is raised. That exception goes on
            // afterwards.
            let flying = PyErr::take(py);
            let called = make().and_then(|event| callback.call1(py, (event,)));
            if let Err(error) = called {
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
