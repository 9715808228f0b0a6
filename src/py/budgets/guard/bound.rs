//! `BoundGuard`: a guard with labels that all of its requests have.

use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::allotment::PyAllotment;
use super::asking;
use super::labels::{CallLabels, GivenLabels, LANDING};
use super::request::request;
use crate::budgets::Guard;
use crate::py::args::{self, StatusArg};
use crate::py::lease::PyBudgetLease;
use crate::py::waiting::{PyMailbox, PyWait};

#[doc = stub!("BoundGuard")]
#[pyclass(module = "outlay", name = "BoundGuard", frozen, weakref)]
pub(crate) struct PyBoundGuard {
    /// The guard as users have it.
    whose: Py<PyAny>,
    guard: Arc<Guard>,
    /// Names and texts, and the mark of a final answer. It never changes.
    bound: Py<PyDict>,
}

impl PyBoundGuard {
    /// A view of the guard: the given labels, then those that were bound before.
    pub(super) fn of(
        (whose, guard): (Py<PyAny>, &Arc<Guard>),
        given: GivenLabels<'_, '_>,
        before: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let own = CallLabels::with_scope(given, None)?;
        let bound = before.map_or_else(|| Ok(PyDict::new(given.py())), |before| before.copy())?;
        for (name, value) in own.pairs()? {
            crate::accounting::Key::check(name, value)?;
            bound.set_item(name, value)?;
        }
        Ok(Self { whose, guard: Arc::clone(guard), bound: bound.unbind() })
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(crate) const fn bound(&self) -> &Py<PyDict> {
        &self.bound
    }

    fn given<'a, 'py>(
        &'a self,
        py: Python<'py>,
        labels: Option<&'a Bound<'py, PyAny>>,
        named: Option<&'a Bound<'py, PyDict>>,
    ) -> GivenLabels<'a, 'py> {
        GivenLabels::new(py, labels, named).bound_to(Some(self.bound.bind(py)))
    }
}

#[pymethods]
impl PyBoundGuard {
    #[doc = stub!("BoundGuard.guard")]
    #[getter(guard)]
    fn whose(&self, py: Python<'_>) -> Py<PyAny> {
        self.whose.clone_ref(py)
    }

    #[doc = stub!("BoundGuard.labels")]
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let labels = self.bound.bind(py).copy()?;
        if labels.contains(LANDING)? {
            labels.del_item(LANDING)?;
        }
        Ok(labels)
    }

    #[doc = stub!("BoundGuard.bind")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn bind(
        &self,
        py: Python<'_>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let given = GivenLabels::new(py, labels, named);
        Self::of((self.whose.clone_ref(py), &self.guard), given, Some(self.bound.bind(py)))
    }

    #[doc = stub!("BoundGuard.landing")]
    fn landing(&self, py: Python<'_>) -> PyResult<Self> {
        let bound = self.bound.bind(py).copy()?;
        bound.set_item(LANDING, "yes")?;
        let whose = self.whose.clone_ref(py);
        Ok(Self { whose, guard: Arc::clone(&self.guard), bound: bound.unbind() })
    }

    #[doc = stub!("BoundGuard.reserve")]
    #[pyo3(signature = (estimate = None, *, ttl = None, labels = None, **named))]
    fn reserve(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyBudgetLease> {
        let labels = CallLabels::of(self.given(py, labels, named))?;
        let request = request(estimate, ttl, labels.landing)?;
        Ok(PyBudgetLease::new(self.guard().reserve(&labels.pairs()?, request)?, None))
    }

    /// `reserve`, or None where it is to wait.
    fn _try_reserve(
        &self,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: &Bound<'_, PyDict>,
    ) -> PyResult<Option<PyBudgetLease>> {
        let given = self.given(named.py(), labels, Some(named));
        asking::try_reserve(self.guard(), estimate, ttl, timeout, given)
    }

    fn _wait(
        &self,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: &Bound<'_, PyDict>,
        mailbox: &Bound<'_, PyMailbox>,
    ) -> PyResult<PyWait> {
        let given = self.given(named.py(), labels, Some(named));
        asking::wait(self.guard(), estimate, ttl, timeout, given, mailbox)
    }

    #[doc = stub!("BoundGuard.reserve_blocking")]
    #[pyo3(signature = (estimate = None, *, ttl = None, timeout = None, labels = None, **named))]
    fn reserve_blocking(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyBudgetLease> {
        let given = self.given(py, labels, named);
        asking::block(py, self.guard(), estimate, ttl, timeout, given)
    }

    #[doc = stub!("BoundGuard.check")]
    #[pyo3(signature = (estimate = None, *, labels = None, **named))]
    fn check(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        asking::check(self.guard(), estimate, self.given(py, labels, named))
    }

    #[doc = stub!("BoundGuard.charge_step")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn charge_step(
        &self,
        py: Python<'_>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        Ok(self.guard().step(&CallLabels::of(self.given(py, labels, named))?.pairs()?)?)
    }

    #[doc = stub!("BoundGuard.allot")]
    #[pyo3(signature = (*, tokens = None, cost_micros_usd = None, calls = None, ttl = None,
        labels = None, **named))]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python method")]
    fn allot(
        &self,
        py: Python<'_>,
        tokens: Option<&Bound<'_, PyAny>>,
        cost_micros_usd: Option<&Bound<'_, PyAny>>,
        calls: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyAllotment> {
        let amounts = [tokens, cost_micros_usd, calls];
        let (labels, size, ttl) = asking::allot_args(amounts, ttl, self.given(py, labels, named))?;
        Ok(PyAllotment::new(self.guard.allot(&labels.pairs()?, size, ttl)?))
    }

    #[doc = stub!("BoundGuard.observe")]
    #[pyo3(signature = (headers, status = StatusArg(200), *, body = None, labels = None, **named),
        text_signature = "($self, headers, status=200, *, body=None, labels=None, **named)")]
    fn observe(
        &self,
        py: Python<'_>,
        headers: &Bound<'_, PyAny>,
        status: StatusArg,
        body: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let given = self.given(py, labels, named);
        asking::observe(self.guard(), headers, body, given, |labels, said| {
            self.guard().hear(labels, said, status.0)
        })
    }

    #[doc = stub!("BoundGuard.explain")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        labels: Option<&Bound<'py, PyAny>>,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        asking::explain(py, self.guard(), self.given(py, labels, named))
    }

    #[doc = stub!("BoundGuard.advice")]
    #[pyo3(signature = (*, estimate = None, labels = None, **named))]
    fn advice<'py>(
        &self,
        py: Python<'py>,
        estimate: Option<&Bound<'py, PyAny>>,
        labels: Option<&Bound<'py, PyAny>>,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        asking::advise(py, self.guard(), estimate, self.given(py, labels, named))
    }

    /// How the policy of its guard wants calls estimated; see `Guard._estimating`.
    fn _estimating(&self) -> (Option<&'static str>, Option<u64>) {
        asking::estimating(self.guard())
    }

    /// Which cost of a call the policy of its guard books; see `Guard._cost_source`.
    fn _cost_source(&self) -> &'static str {
        self.guard().cost_source().name()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        false
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown = String::from("<BoundGuard");
        for (name, value) in self.labels(py)? {
            let name = name.cast::<PyString>()?.to_str()?.escape_debug().to_string();
            shown.push_str(&format!(" {name}={}", value.repr()?));
        }
        Ok(shown + ">")
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("BoundGuard"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.whose)?;
        visit.call(&self.bound)
    }
}
