//! The core is imported in the main interpreter of a process, and in no other.
//!
//! Its exceptions and hooks are kept once for a process. In a second interpreter a refusal would be
//! of a class of the first, and `except LimitExceeded` would not catch it.

use std::sync::OnceLock;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

const REFUSED: &str = "outlay works in the main interpreter of a process alone, and this is a \
    subinterpreter; run the program in the main one (under mod_wsgi: WSGIApplicationGroup %{GLOBAL})";

/// The address of the module `sys` of the first interpreter.
static FIRST: OnceLock<usize> = OnceLock::new();

/// Fails in a subinterpreter.
pub(super) fn check(py: Python<'_>) -> PyResult<()> {
    let address = py.import("sys")?.as_ptr().addr();
    if is_main(py)? && *FIRST.get_or_init(|| address) == address {
        return Ok(());
    }
    Err(PyImportError::new_err(REFUSED))
}

/// What CPython says of it, by its name in 3.13 or before. True where it has neither.
fn is_main(py: Python<'_>) -> PyResult<bool> {
    for name in ["_interpreters", "_xxsubinterpreters"] {
        if let Ok(interpreters) = py.import(name) {
            let current = interpreters.call_method0("get_current")?;
            return current.eq(interpreters.call_method0("get_main")?);
        }
    }
    Ok(true)
}
