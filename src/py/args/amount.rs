//! Reads whole numbers: amounts, limits, steps, the status of a response.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use super::shown::{shown, type_name};
use crate::accounting::Invalid;
use crate::py::python_call::call_python_late;

const WHOLE: &str = "a whole number from 0 to 2**64 - 1";

/// Reads a whole number: an int or an object with an index (numpy integers), no bool, no float.
#[inline]
pub(crate) fn amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    match small_amount(value) {
        Some(amount) => Ok(amount),
        None => odd_amount(value, argument),
    }
}

/// Reads nearly all amounts: an int below 2**63, without asking for its index.
#[inline]
pub(crate) fn small_amount(value: &Bound<'_, PyAny>) -> Option<u64> {
    let int = value.is_exact_instance_of::<PyInt>();
    let signed = int.then(|| value.extract::<i64>().ok()).flatten()?;
    u64::try_from(signed).ok()
}

#[cold]
fn odd_amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        let given = match value.extract::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) => "an int that is outside".to_owned(),
        };
        return value
            .extract::<u64>()
            .map_err(|_| Invalid::amount(argument, &format!("{WHOLE}, not {given}")).into());
    }
    let whole = match index(value) {
        Ok(index) if !value.is_instance_of::<PyBool>() => index.extract::<u64>().ok(),
        // Ctrl-C and the like are raised.
        Err(error) if !error.is_instance_of::<PyException>(value.py()) => return Err(error),
        _ => None,
    };
    whole.ok_or_else(|| {
        Invalid::amount(argument, &format!("{WHOLE}, not {}", type_name(value))).into()
    })
}

/// The int that an object counts as.
pub(crate) fn index<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    call_python_late(value.py(), || value.call_method0("__index__"))
}

/// Reads a whole number, or `None` for no limit.
pub(crate) fn limit(value: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<Option<u64>> {
    value.map(|value| amount(value, argument)).transpose()
}

/// The argument of `execute_step`.
pub(crate) struct StepsArg(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for StepsArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "n").map(Self)
    }
}

/// The argument `tokens` of `acquire_slot` and its like.
pub(crate) struct TokensArg(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for TokensArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "tokens").map(Self)
    }
}

/// The status of a response.
pub(crate) struct StatusArg(pub(crate) u16);

impl<'py> FromPyObject<'_, 'py> for StatusArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let status = amount(&given, "status").ok().and_then(|status| u16::try_from(status).ok());
        status.map(Self).ok_or_else(|| {
            let allowed = format!("the status code of a response, not {}", shown(&given));
            Invalid::policy("status", &allowed).into()
        })
    }
}

/// The argument `calls` of `charge`.
pub(crate) struct CallsArg(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for CallsArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "calls").map(Self)
    }
}
