//! Reads the labels of a request: its keywords, and those of the scopes around it.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;

use crate::py::args;

/// Returns the labels of the scopes around the present code: a dict, or None.
static SCOPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// The label of scopes inside which the final answer is made.
const LANDING: &str = " landing";

#[doc = stub!("set_labels_var")]
#[pyfunction]
pub(crate) fn set_labels_var(py: Python<'_>, get: Py<PyAny>) {
    let _ = SCOPE.set(py, get);
}

/// Whether there was ever a scope. Most programs have none, and skip the call.
static SCOPED: AtomicBool = AtomicBool::new(false);

#[doc = stub!("scope_begins")]
#[pyfunction]
pub(crate) fn scope_begins() {
    // Relaxed: the GIL, or the start of a thread in the scope, orders it before its requests.
    SCOPED.store(true, Ordering::Relaxed);
}

/// Names and values, kept alive.
pub(crate) struct CallLabels<'py> {
    held: SmallVec<[(Bound<'py, PyString>, Bound<'py, PyString>); 6]>,
    pub(crate) landing: bool,
}

impl<'py> CallLabels<'py> {
    /// The keywords of a call, then the labels of the scopes around it that they do not name.
    pub(crate) fn of(py: Python<'py>, keywords: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        Self::with_scope(keywords, scope(py)?)
    }

    /// The same with the labels of the scopes.
    pub(crate) fn with_scope(
        keywords: Option<&Bound<'py, PyDict>>,
        scope: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let mut labels = Self { held: SmallVec::new(), landing: false };
        if let Some(keywords) = keywords {
            for (name, value) in keywords {
                labels.add(name.cast_into()?, &value)?;
            }
        }
        if let Some(scope) = scope {
            // A request that names its own tool is a call of that tool. The model of an outer scope
            // is not its model.
            let own_tool = labels.has("tool") && !labels.has("model");
            for (name, value) in scope {
                let name: Bound<'py, PyString> = name.cast_into()?;
                match name.to_str()? {
                    LANDING => labels.landing = true,
                    "model" if own_tool => {}
                    known if labels.has(known) => {}
                    _ => labels.add(name, &value)?,
                }
            }
        }
        Ok(labels)
    }

    fn has(&self, name: &str) -> bool {
        self.held.iter().any(|(own, _)| own.to_str().ok() == Some(name))
    }

    fn add(&mut self, name: Bound<'py, PyString>, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let text = match value.cast_exact::<PyString>() {
            Ok(text) => text.clone(),
            Err(_) => args::id(value, name.to_str()?)?.into_text(),
        };
        self.held.push((name, text));
        Ok(())
    }

    pub(crate) fn pairs(&self) -> PyResult<SmallVec<[(&str, &str); 6]>> {
        self.held
            .iter()
            .map(|(name, value)| {
                Ok((args::utf8(name, "label")?, args::utf8(value, name.to_str()?)?))
            })
            .collect()
    }
}

/// The labels of the scopes around the present code.
pub(crate) fn scope(py: Python<'_>) -> PyResult<Option<Bound<'_, PyDict>>> {
    if !SCOPED.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let Some(get) = SCOPE.get(py) else { return Ok(None) };
    let labels = get.bind(py).call0()?;
    if labels.is_none() { Ok(None) } else { Ok(Some(labels.cast_into()?)) }
}
