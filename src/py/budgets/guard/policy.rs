//! Reads a policy that users pass: a dict, or the path of a file.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::accounting::Invalid;
use crate::budgets::GuardPolicy;
use crate::py::args;

/// Reads a dict, or the file at a path.
pub(super) fn read_policy(policy: &Bound<'_, PyAny>) -> PyResult<GuardPolicy> {
    match policy.cast::<PyDict>() {
        Ok(dict) => read_dict(dict),
        Err(_) => read_file(policy),
    }
}

pub(super) fn read_dict(dict: &Bound<'_, PyDict>) -> PyResult<GuardPolicy> {
    let py = dict.py();
    let options = PyDict::new(py);
    // A Decimal becomes text, as in TOML.
    options.set_item("default", py.import("builtins")?.getattr("str")?)?;
    options.set_item("allow_nan", false)?;
    options.set_item("ensure_ascii", false)?;
    let text = py.import("json")?.call_method("dumps", (dict,), Some(&options));
    let text = text.map_err(|error| match error.is_instance_of::<PyException>(py) {
        true => Invalid::sentence(format!(
            "policy: the dict has a value that no policy can have ({error}); allowed are texts, \
             finite numbers, true, false, lists and dicts"
        ))
        .into(),
        false => error,
    })?;
    let text = text.cast::<PyString>()?.to_str().map_err(|_| {
        Invalid::policy("policy", "a dict of text that has a UTF-8 form: no lone surrogates")
    })?;
    Ok(GuardPolicy::from_json(text)?)
}

pub(super) fn read_file(path: &Bound<'_, PyAny>) -> PyResult<GuardPolicy> {
    let (shown, text) = file_text(path)?;
    Ok(GuardPolicy::from_toml(&shown, &text)?)
}

#[doc = stub!("policy_tables")]
#[pyfunction]
pub(crate) fn policy_tables(path: &Bound<'_, PyAny>) -> PyResult<String> {
    let (shown, text) = file_text(path)?;
    Ok(GuardPolicy::tables(&shown, &text)?)
}

/// The path of a policy file as it is shown, and the text of the file.
fn file_text(given: &Bound<'_, PyAny>) -> PyResult<(String, String)> {
    let path: std::path::PathBuf = given.extract().map_err(|_| {
        let given = args::type_name(given);
        PyErr::from(Invalid::policy(
            "policy",
            &format!("a dict or the path of a file, not {given}"),
        ))
    })?;
    let shown = path.to_string_lossy().into_owned();
    let bytes = std::fs::read(&path).map_err(|error| match error.raw_os_error() {
        Some(number) => {
            let said = error.to_string();
            let said = said.split(" (os error").next().map(str::to_owned);
            unreadable(given.py(), (number, said, &shown))
        }
        None => error.into(),
    })?;
    let text = String::from_utf8(bytes).map_err(|bad| {
        let before = &bad.as_bytes()[..bad.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Invalid::sentence(format!("{shown}:{line}: the policy is not UTF-8 text; save it as UTF-8"))
    })?;
    Ok((shown, text))
}

/// The error of a file that the system cannot read: its number and text, and the path.
fn unreadable(py: Python<'_>, what: (i32, Option<String>, &str)) -> PyErr {
    let module = py.import("outlay._faults");
    let made = module.and_then(|faults| faults.call_method1("policy_file_error", what));
    made.map_or_else(|error| error, PyErr::from_value)
}
