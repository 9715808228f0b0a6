//! Reads identifiers and names.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::shown::type_name;
use crate::accounting::{Invalid, Key};

/// A checked identifier of 1 to 1,024 bytes.
pub(crate) struct Id<'py>(Bound<'py, PyString>);

impl<'py> Id<'py> {
    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        // It was read when it was checked, and a str never changes.
        self.0.to_str().unwrap_or_default()
    }

    /// Its text as a Python object.
    pub(crate) fn into_text(self) -> Bound<'py, PyString> {
        self.0
    }
}

/// Reads an identifier: a str, or a `uuid.UUID`, whose text is used.
pub(crate) fn id<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<Id<'py>> {
    let text = match value.cast::<PyString>() {
        Ok(text) => text.clone(),
        Err(_) if is_uuid(value) => value.str()?,
        Err(_) => {
            let allowed = format!("a str or a uuid.UUID, not {}", type_name(value));
            return Err(Invalid::id(argument, &allowed).into());
        }
    };
    name(&text, argument)?;
    Ok(Id(text))
}

/// The text of an identifier, of 1 to 1,024 bytes.
pub(crate) fn name<'a>(text: &'a Bound<'_, PyString>, argument: &str) -> PyResult<&'a str> {
    let text = utf8(text, argument)?;
    Key::check(argument, text)?;
    Ok(text)
}

/// The text of an identifier. Lone surrogates have no UTF-8 form and are refused.
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>, argument: &str) -> PyResult<&'a str> {
    text.to_str()
        .map_err(|_| Invalid::id(argument, "text that has a UTF-8 form: no lone surrogates").into())
}

fn is_uuid(value: &Bound<'_, PyAny>) -> bool {
    let class = value.py().import("uuid").and_then(|uuid| uuid.getattr("UUID"));
    class.and_then(|class| value.is_instance(&class)).unwrap_or(false)
}
