//! Accounts as Python knows them: by a number.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::ledger::AccountId;

impl<'py> FromPyObject<'_, 'py> for AccountId {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        given.extract::<usize>().map(Self::from)
    }
}

impl<'py> IntoPyObject<'py> for AccountId {
    type Target = PyInt;
    type Output = Bound<'py, PyInt>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
        usize::from(self).into_pyobject(py)
    }
}
