//! What the command line does with stores.

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::open::url_of;
use super::report;
use crate::py::python_call::detached;
use crate::store::{Store, StoreOptions};

#[doc = stub!("inspect_store")]
#[pyfunction]
pub(crate) fn inspect_store<'py>(
    py: Python<'py>,
    url: &Bound<'py, PyAny>,
    namespace: &str,
) -> PyResult<Bound<'py, PyList>> {
    let url = url_of(url)?;
    report::inspected(py, detached(py, || Store::look(&url, namespace))?)
}

#[doc = stub!("create_store")]
#[pyfunction]
pub(crate) fn create_store(
    py: Python<'_>,
    url: &Bound<'_, PyAny>,
    namespace: &str,
) -> PyResult<()> {
    let url = url_of(url)?;
    let options = StoreOptions { namespace: namespace.to_owned(), ..StoreOptions::default() };
    Ok(detached(py, || Store::create(&url, &options))?)
}
