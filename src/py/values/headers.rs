//! Reads the headers of a response from any client: a mapping or pairs, str or bytes.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::accounting::Invalid;
use crate::py::args;
use crate::py::python_call::call_python_late;

/// Names and values. Entries that are no text are skipped.
pub(crate) fn read_headers(headers: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let pairs = call_python_late(headers.py(), || pairs(headers));
    pairs.map_err(|error| {
        if error.is_instance_of::<PyException>(headers.py()) {
            let allowed = "a mapping or an iterable of (name, value)";
            let given = args::type_name(headers);
            Invalid::policy("headers", &format!("{allowed}, not {given}")).into()
        } else {
            error
        }
    })
}

fn pairs(headers: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let items = match headers.getattr_opt("items")? {
        Some(items) => items.call0()?,
        None => headers.clone(),
    };
    let mut read = Vec::new();
    for pair in items.try_iter()? {
        // A pair may also be a list of two, as in ASGI.
        let pair = pair?;
        let pair = match pair.cast::<PyList>() {
            Ok(list) => list.to_tuple(),
            Err(_) => pair.cast_into::<PyTuple>()?,
        };
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
        if let (Some(name), Some(value)) = (text(&name), text(&value)) {
            read.push((name, value));
        }
    }
    Ok(read)
}

/// A text, or a number as one; `None` for anything else.
fn text(value: &Bound<'_, PyAny>) -> Option<String> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Some(String::from_utf8_lossy(bytes.as_bytes()).into_owned());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str().ok().map(str::to_owned);
    }
    let number = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>();
    number.then(|| value.str().ok()?.to_str().ok().map(str::to_owned)).flatten()
}
