//! What an object was made of, with which it pickles.

use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::py::args;
use crate::store::Store;

/// The arguments of an object that has a store. Empty for one whose counts are in memory.
pub(crate) struct MadeOf(Option<Made>);

struct Made {
    /// The method of its class that made it. `None` for the class itself.
    method: Option<&'static str>,
    arguments: Py<PyTuple>,
    keywords: Py<PyDict>,
}

type Argument<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Keeps the arguments of an account that has a store, and nothing of any other.
pub(crate) fn made(
    py: Python<'_>,
    store: Option<&Arc<Store>>,
    method: Option<&'static str>,
    arguments: &[&Bound<'_, PyAny>],
    keywords: &[(&str, Argument<'_, '_>)],
) -> PyResult<MadeOf> {
    match store {
        Some(_) => MadeOf::keep(py, method, arguments, keywords),
        None => Ok(MadeOf::NOTHING),
    }
}

impl MadeOf {
    /// What is in memory, and cannot be pickled.
    pub(crate) const NOTHING: Self = Self(None);

    /// Keeps arguments. Keywords that were not given are left out.
    pub(crate) fn keep(
        py: Python<'_>,
        method: Option<&'static str>,
        arguments: &[&Bound<'_, PyAny>],
        keywords: &[(&str, Argument<'_, '_>)],
    ) -> PyResult<Self> {
        let kept = PyDict::new(py);
        for (name, given) in keywords {
            if let Some(given) = given {
                kept.set_item(name, given)?;
            }
        }
        let arguments = PyTuple::new(py, arguments)?.unbind();
        Ok(Self(Some(Made { method, arguments, keywords: kept.unbind() })))
    }

    /// How pickle makes the object again, or the error of one that is in memory.
    pub(crate) fn reduced<'py, T>(&self, object: &Bound<'py, T>) -> PyResult<Bound<'py, PyTuple>> {
        let py = object.py();
        let class = object.as_any().get_type();
        let Some(Made { method, arguments, keywords }) = &self.0 else {
            return Err(args::no_copies(&class.name()?.to_string()));
        };
        let make = py.import("outlay._stores.pickled")?.getattr("made_again")?;
        (make, (class, *method, arguments, keywords)).into_pyobject(py)
    }

    /// Shows the garbage collector what is kept.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(Made { arguments, keywords, .. }) = &self.0 else { return Ok(()) };
        visit.call(arguments).and_then(|()| visit.call(keywords))
    }
}
