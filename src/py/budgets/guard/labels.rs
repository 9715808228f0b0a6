//! Reads the labels of a request: its keywords, and those of the scopes around it.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping, PyString};
use smallvec::SmallVec;

use crate::accounting::Invalid;
use crate::py::args;

/// Returns the labels of the scopes around the present code: a dict, or None.
static SCOPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// The label of scopes inside which the final answer is made.
pub(super) const LANDING: &str = " landing";

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

/// The labels that a request was given.
#[derive(Clone, Copy)]
pub(crate) struct GivenLabels<'a, 'py> {
    py: Python<'py>,
    /// The keyword `labels`: a mapping.
    mapping: Option<&'a Bound<'py, PyAny>>,
    /// All other keywords.
    named: Option<&'a Bound<'py, PyDict>>,
    /// Those of a bound view of a guard.
    bound: Option<&'a Bound<'py, PyDict>>,
}

impl<'a, 'py> GivenLabels<'a, 'py> {
    pub(crate) const fn new(
        py: Python<'py>,
        mapping: Option<&'a Bound<'py, PyAny>>,
        named: Option<&'a Bound<'py, PyDict>>,
    ) -> Self {
        Self { py, mapping, named, bound: None }
    }

    /// The same with the labels of a bound view.
    pub(crate) const fn bound_to(self, bound: Option<&'a Bound<'py, PyDict>>) -> Self {
        Self { bound, ..self }
    }

    pub(crate) const fn py(&self) -> Python<'py> {
        self.py
    }

    /// The keywords, if nothing else was given.
    pub(crate) fn plain(&self) -> Option<&'a Bound<'py, PyDict>> {
        self.named.filter(|_| self.mapping.is_none() && self.bound.is_none())
    }

    /// The request's own labels, in one dict.
    pub(crate) fn own(&self) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(mapping) = self.mapping.filter(|mapping| !mapping.is_none()) else {
            return Ok(self.named.cloned());
        };
        let own = PyDict::new(mapping.py());
        for item in mapping.cast::<PyMapping>().map_err(|_| no_mapping(mapping))?.items()? {
            let (name, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            own.set_item(name.cast::<PyString>().map_err(|_| no_name(&name))?, value)?;
        }
        for (name, value) in self.named.into_iter().flatten() {
            if let Some(other) = own.get_item(&name)?
                && !other.eq(&value)?
            {
                let name = name.cast::<PyString>()?.to_str()?;
                return Err(Invalid::sentence(format!(
                    "the label {name:?} is given twice, as a keyword and in labels=, with two \
                     values; give one"
                ))
                .into());
            }
            own.set_item(name, value)?;
        }
        Ok(Some(own))
    }
}

fn no_mapping(given: &Bound<'_, PyAny>) -> PyErr {
    let given = args::type_name(given);
    Invalid::policy("labels", &format!("a mapping of names to values, not {given}")).into()
}

/// Names with a space at their start are marks of outlay's own.
fn check_name(name: &Bound<'_, PyString>) -> PyResult<()> {
    let text = args::name(name, "a name in labels")?;
    if text.starts_with(' ') {
        return Err(Invalid::id("a name in labels", "text without a space at its start").into());
    }
    Ok(())
}

fn no_name(given: &Bound<'_, PyAny>) -> PyErr {
    Invalid::id("a name in labels", &format!("a str, not {}", args::type_name(given))).into()
}

/// Names and values, kept alive.
pub(crate) struct CallLabels<'py> {
    held: SmallVec<[(Bound<'py, PyString>, Bound<'py, PyString>); 6]>,
    pub(crate) landing: bool,
}

impl<'py> CallLabels<'py> {
    /// The labels of a call, then those that are bound, then those of the scopes around it. The
    /// nearest counts.
    pub(crate) fn of(given: GivenLabels<'_, 'py>) -> PyResult<Self> {
        Self::with_scope(given, scope(given.py)?)
    }

    /// The same with the labels of the scopes.
    pub(crate) fn with_scope(
        given: GivenLabels<'_, 'py>,
        scope: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let mut labels = Self { held: SmallVec::new(), landing: false };
        if let Some(own) = given.own()? {
            for (name, value) in &own {
                let name = name.cast_into()?;
                check_name(&name)?;
                labels.add(name, &value)?;
            }
        }
        if let Some(bound) = given.bound {
            labels.add_around(bound)?;
        }
        if let Some(scope) = &scope {
            labels.add_around(scope)?;
        }
        Ok(labels)
    }

    /// Adds labels that come after those that are there.
    fn add_around(&mut self, around: &Bound<'py, PyDict>) -> PyResult<()> {
        // A request that names its own tool is a call of that tool. The model of an outer scope is
        // not its model.
        let own_tool = self.has("tool") && !self.has("model");
        for (name, value) in around {
            let name: Bound<'py, PyString> = name.cast_into()?;
            match name.to_str()? {
                LANDING => self.landing = true,
                "model" if own_tool => {}
                known if self.has(known) => {}
                _ => self.add(name, &value)?,
            }
        }
        Ok(())
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
