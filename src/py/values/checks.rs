//! Checks of single values, for the value classes that are written in Python.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::accounting::{Invalid, LONGEST};
use crate::py::args;

#[doc = stub!("check_amount")]
#[pyfunction]
pub(crate) fn check_amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    args::amount(value, argument)
}

#[doc = stub!("check_id")]
#[pyfunction]
pub(crate) fn check_id<'py>(
    value: &Bound<'py, PyAny>,
    argument: &str,
) -> PyResult<Bound<'py, PyString>> {
    args::id(value, argument).map(args::Id::into_text)
}

#[doc = stub!("check_period")]
#[pyfunction]
pub(crate) fn check_period(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<f64> {
    let period = args::elapsed(value).filter(|period| *period <= LONGEST);
    period.map(|period| Duration::as_secs_f64(&period)).ok_or_else(|| {
        let allowed = "seconds (int or float) or a timedelta, from 0 to 100 years";
        let given = args::shown(value);
        Invalid::policy(argument, &format!("{allowed}, not {given}")).into()
    })
}
