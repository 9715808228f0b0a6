//! Pickling: value classes can be pickled, accounts cannot.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// The keywords for `__getnewargs_ex__`, with which value classes pickle and copy.
pub(crate) fn new_args<'py>(
    py: Python<'py>,
    keywords: Bound<'py, PyDict>,
) -> (Bound<'py, PyTuple>, Bound<'py, PyDict>) {
    (PyTuple::empty(py), keywords)
}

/// The error for a pickled account. Accounts hold what was spent, so what is unpickled would be a
/// second budget.
pub(crate) fn no_copies(class: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{class} can not be pickled: what is unpickled would have a limit of its own; create it where \
         it is used"
    ))
}
