//! `on_warning`: a Python call, once per window, never under a lock and never into the caller.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::ledger::{Core, EventKind};

/// The callback and the budget it is called with.
pub(super) struct Warner {
    callback: Py<PyAny>,
    /// Weak, so that a budget and its callback do not keep each other alive.
    budget: PyOnceLock<Py<PyWeakrefReference>>,
}

impl Warner {
    /// Calls `callback` for the warnings of `core`'s accounts.
    pub(super) fn listen(callback: Py<PyAny>, core: &Core) -> Arc<Self> {
        let warner = Arc::new(Self { callback, budget: PyOnceLock::new() });
        let weak = Arc::downgrade(&warner);
        core.subscribe(move |event| {
            if event.kind == EventKind::Warned
                && let Some(warner) = weak.upgrade()
            {
                Python::attach(|py| warner.call(py));
            }
        });
        warner
    }

    /// Remembers which object the callback is called with.
    #[inline]
    pub(super) fn remember(&self, budget: &Bound<'_, PyAny>) {
        let make = || PyWeakrefReference::new(budget).map(Bound::unbind);
        // A budget that can not be remembered is not called back; its accounts are right.
        let _ = self.budget.get_or_try_init(budget.py(), make);
    }

    pub(super) const fn callback(&self) -> &Py<PyAny> {
        &self.callback
    }

    fn call(&self, py: Python<'_>) {
        let Some(budget) = self.budget.get(py).and_then(|weak| weak.bind(py).upgrade()) else {
            return;
        };
        if let Err(error) = self.callback.call1(py, (budget,)) {
            let logged = log(py, &error);
            if logged.is_err() {
                error.write_unraisable(py, Some(self.callback.bind(py)));
            }
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
