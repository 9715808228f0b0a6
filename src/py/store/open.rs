//! Opens stores by their addresses.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::accounting::Invalid;
use crate::py::args;
use crate::py::python_call::detached;
use crate::store::{Store, StoreOptions};

/// Opens a store. Other threads run meanwhile.
pub(super) fn open(py: Python<'_>, url: &str, options: StoreOptions) -> PyResult<Arc<Store>> {
    Ok(detached(py, || Store::open(url, options))?)
}

/// Reads the address of a store.
pub(super) fn url_of(given: &Bound<'_, PyAny>) -> PyResult<String> {
    match given.cast::<PyString>() {
        Ok(text) => Ok(args::utf8(text, "url")?.to_owned()),
        Err(_) => {
            let allowed =
                format!("text such as \"sqlite:///budgets.db\", not {}", args::type_name(given));
            Err(Invalid::policy("url", &allowed).into())
        }
    }
}
