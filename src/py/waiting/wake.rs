//! The call that wakes an event loop, or a greenlet.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::py::python_call::call_python;

/// Wakes an event loop. This may run while an exception is raised, because a dropped lease calls
/// it. That exception goes on afterwards. A Ctrl-C in between is not lost, and neither is the
/// wake-up.
pub(super) fn call_wake(wake: &Py<PyAny>) {
    // Counted before it attaches: the thread of a store does not wait for an interpreter that ends.
    call_python(|| {
        Python::try_attach(|py| {
            let flying = PyErr::take(py);
            if let Err(error) = wake.call0(py) {
                if error.is_instance_of::<PyException>(py) {
                    error.write_unraisable(py, Some(wake.bind(py)));
                } else {
                    let again = wake.call0(py).and_then(|_| interrupt(py));
                    if let Err(error) = again {
                        error.write_unraisable(py, Some(wake.bind(py)));
                    }
                }
            }
            if let Some(error) = flying {
                error.restore(py);
            }
        })
    });
}

/// Raises Ctrl-C again, in the code that runs next.
fn interrupt(py: Python<'_>) -> PyResult<()> {
    py.import("_thread")?.call_method0("interrupt_main").map(drop)
}
