//! Calls `on_warning`: once per window and mark, and never under a lock. An `Exception` in it is
//! logged and never raised in the caller.

use std::sync::Arc;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::ledger::{Core, EventKind};
use crate::py::python_call::{call_python, raise_later};

/// The callback and the budget it is called with.
pub(super) struct OnWarning {
    callback: Py<PyAny>,
    /// Weak, so that a budget and its callback do not keep each other alive.
    budget: PyOnceLock<Py<PyWeakrefReference>>,
}

impl OnWarning {
    /// Calls `callback` for the warnings of `core`'s accounts.
    pub(super) fn listen(callback: Py<PyAny>, core: &Core) -> Arc<Self> {
        let warner = Arc::new(Self { callback, budget: PyOnceLock::new() });
        let weak = Arc::downgrade(&warner);
        core.subscribe_to(EventKind::Warned, move |_| {
            if let Some(warner) = weak.upgrade() {
                // Counted before it attaches, as the thread of a store may come here at exit.
                call_python(|| Python::attach(|py| warner.call(py)));
            }
        });
        warner
    }

    /// Stores the object that the callback is called with.
    #[inline]
    pub(super) fn remember(&self, budget: &Bound<'_, PyAny>) {
        if self.budget.get(budget.py()).is_some() {
            return;
        }
        // Made before it is set: a garbage collection may run meanwhile and come here too. A budget
        // without a weak reference is not called back. Its accounts are still right.
        if let Ok(weak) = PyWeakrefReference::new(budget) {
            let _ = self.budget.set(budget.py(), weak.unbind());
        }
    }

    pub(super) const fn callback(&self) -> &Py<PyAny> {
        &self.callback
    }

    fn call(&self, py: Python<'_>) {
        let Some(budget) = self.budget.get(py).and_then(|weak| weak.bind(py).upgrade()) else {
            return;
        };
        // A lease may be dropped while an exception is raised. That exception goes on afterwards.
        let flying = PyErr::take(py);
        if let Err(error) = self.callback.call1(py, (budget,)) {
            self.failed(py, error);
        }
        if let Some(error) = flying {
            error.restore(py);
        }
    }

    /// Logs an `Exception`. Ctrl-C and the like are raised where the budget was called.
    fn failed(&self, py: Python<'_>, error: PyErr) {
        let error =
            if error.is_instance_of::<PyException>(py) { Some(error) } else { raise_later(error) };
        if let Some(error) = error
            && log(py, &error).is_err()
        {
            error.write_unraisable(py, Some(self.callback.bind(py)));
        }
    }
}

fn log(py: Python<'_>, error: &PyErr) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("outlay",))?;
    let details = pyo3::types::PyDict::new(py);
    details.set_item("exc_info", error.value(py))?;
    logger.call_method("error", ("on_warning failed",), Some(&details))?;
    Ok(())
}
