//! Reads a policy that users pass: a dict, or the path of a file.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

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
    options
        .set_item("default", py.import("outlay._guard.given_policy")?.getattr("policy_text")?)?;
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
    check_names(dict)?;
    let text = text.cast::<PyString>()?.to_str().map_err(|_| {
        Invalid::policy("policy", "a dict of text that has a UTF-8 form: no lone surrogates")
    })?;
    Ok(GuardPolicy::from_json(text)?)
}

/// JSON makes text of a name that is none, such as None: a rule with it would match nothing.
/// The dict has a JSON form, so it holds no circle.
fn check_names(value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(dict) = value.cast::<PyDict>() {
        for (name, value) in dict {
            if !name.is_instance_of::<PyString>() {
                let given = args::type_name(&name);
                let allowed = format!("a dict whose names are texts; one of them is {given}");
                return Err(Invalid::policy("policy", &allowed).into());
            }
            check_names(&value)?;
        }
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        for item in value.try_iter()? {
            check_names(&item?)?;
        }
    }
    Ok(())
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
        None => Invalid::policy("policy", &format!("a dict or the path of a file: {error}")).into(),
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
