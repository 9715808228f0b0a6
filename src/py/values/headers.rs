//! Reads the headers of a response from any client: a mapping or pairs, str or bytes.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::accounting::{Clock, Invalid, RateHeaders};
use crate::py::args;
use crate::py::python_call::call_python_late;

/// Names and values. Entries that are no text are skipped.
fn read_headers(headers: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
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

/// What a response says of a provider's limits: its headers, and the body of an error.
pub(crate) fn read_said(
    headers: &Bound<'_, PyAny>,
    body: Option<&Bound<'_, PyAny>>,
    clock: &Clock,
) -> PyResult<RateHeaders> {
    let headers = read_headers(headers)?;
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let said = RateHeaders::read(pairs, clock.wall_ns());
    Ok(match body.map(body_text).transpose()? {
        Some(body) => said.with_body(&body),
        None => said,
    })
}

/// The body of an error as a text. A dict or a list is written as JSON.
fn body_text(body: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Some(text) = text(body) {
        return Ok(text);
    }
    let is_json =
        body.is_none() || body.is_instance_of::<PyDict>() || body.is_instance_of::<PyList>();
    if !is_json {
        let given = args::type_name(body);
        let allowed = "a text, bytes, or the dict or list that they hold";
        return Err(Invalid::policy("body", &format!("{allowed}, not {given}")).into());
    }
    let py = body.py();
    let written = call_python_late(py, || {
        let keywords = PyDict::new(py);
        keywords.set_item("default", py.get_type::<PyString>())?;
        py.import("json")?.call_method("dumps", (body,), Some(&keywords))
    });
    match written {
        Ok(written) => written.extract(),
        // A dict of a user that is no JSON names no wait.
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(String::new()),
        Err(error) => Err(error),
    }
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
