//! Shows bad values in messages.

use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::py::python_call::call_python_late;

/// The name of the value's type, for a message.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string());
    name.map_or_else(|_| "that".to_owned(), |name| format!("a {name}"))
}

pub(crate) fn shown(value: &Bound<'_, PyAny>) -> String {
    number(value).map_or_else(|| type_name(value), |number| number.to_string())
}

/// A number as a float. A bool is no number, not even one of numpy.
pub(crate) fn number(value: &Bound<'_, PyAny>) -> Option<f64> {
    if value.is_instance_of::<PyBool>() || type_name(value).starts_with("a bool") {
        return None;
    }
    call_python_late(value.py(), || value.extract::<f64>()).ok()
}
