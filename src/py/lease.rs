//! `BudgetLease`: a context manager, sync and async.

use pyo3::exceptions::{PyException, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::python_call::{call_python, interruptible};
use super::values::{PyRequestBudget, PyUsage, PyUsageEstimate};
use crate::accounting::Invalid;
use crate::ledger::{Abandoned, AccountId, ActualRef, Error, Lease, LeaseState};
use crate::py::{args, values};

#[doc = stub!("BudgetLease")]
#[pyclass(module = "outlay", name = "BudgetLease", frozen, weakref)]
pub(crate) struct PyBudgetLease {
    pub(super) inner: Lease,
    /// The budget whose `on_warning` a commit may call.
    owner: Option<Py<PyAny>>,
}

impl PyBudgetLease {
    #[inline]
    pub(super) const fn new(inner: Lease, owner: Option<Py<PyAny>>) -> Self {
        Self { inner, owner }
    }

    #[inline]
    fn commit_as(
        &self,
        usage: Option<&Bound<'_, PyAny>>,
        commit: impl FnOnce(ActualRef<'_>) -> Result<(), Error>,
    ) -> PyResult<()> {
        let actual = usage.map_or(Ok(ActualRef::Estimate), values::actual)?;
        if self.owner.is_none() {
            return Ok(commit(actual)?);
        }
        Ok(interruptible(|| commit(actual))??)
    }
}

/// Ends a lease in Python, after its block has raised an `Exception`.
static END_BLOCK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

#[doc = stub!("set_end_block")]
#[pyfunction]
pub(crate) fn set_end_block(py: Python<'_>, end: Py<PyAny>) {
    let _ = END_BLOCK.set(py, end);
}

/// Ends a lease at the end of its block. Never raises.
fn leave(lease: &Bound<'_, PyBudgetLease>, exception: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
    let why = match exception.cast::<PyType>() {
        Err(_) => Abandoned::Unsettled,
        Ok(class) if class.is_subclass_of::<PyException>().unwrap_or(false) => {
            let py = lease.py();
            if let Some(end) = END_BLOCK.get(py) {
                // The block was left by another exception, so errors of this call are dropped.
                let _ = call_python(|| end.call1(py, (lease, value)));
            }
            Abandoned::Error
        }
        // CancelledError, KeyboardInterrupt, GeneratorExit: the call may still be running.
        Ok(_) => Abandoned::Cancelled,
    };
    // A lease that has ended stays as it is.
    lease.get().inner.abandon(why);
}

#[pymethods]
impl PyBudgetLease {
    #[doc = stub!("BudgetLease.id")]
    #[getter]
    fn id(&self) -> String {
        format!("lease-{}", self.inner.id())
    }

    #[doc = stub!("BudgetLease.reserved")]
    #[getter]
    fn reserved(&self) -> PyUsageEstimate {
        PyUsageEstimate(self.inner.estimate().clone())
    }

    #[doc = stub!("BudgetLease.request_budget")]
    #[getter]
    fn request_budget(&self) -> PyRequestBudget {
        PyRequestBudget(self.inner.request_budget())
    }

    #[doc = stub!("BudgetLease.state")]
    #[getter]
    fn state(&self) -> PyResult<&'static str> {
        Ok(match self.inner.state()? {
            LeaseState::Open => "open",
            LeaseState::Committed => "committed",
            LeaseState::Released => "released",
            LeaseState::Expired => "expired",
        })
    }

    #[doc = stub!("BudgetLease.committed")]
    #[getter]
    fn committed(&self) -> PyResult<Option<PyUsage>> {
        Ok(self.inner.committed()?.map(PyUsage))
    }

    #[doc = stub!("BudgetLease.expires_in")]
    fn expires_in(&self) -> PyResult<f64> {
        Ok(self.inner.expires_in()?.as_secs_f64())
    }

    #[doc = stub!("BudgetLease.commit")]
    #[pyo3(signature = (usage = None))]
    fn commit(&self, usage: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.commit_as(usage, |actual| self.inner.commit_ref(actual))
    }

    /// Books what was used after so many requests; tokens that nothing prices are never free.
    fn _commit(&self, usage: Option<&Bound<'_, PyAny>>, requests: u64) -> PyResult<()> {
        self.commit_as(usage, |actual| self.inner.commit_ref_after(actual, requests))
    }

    /// The accounts of the lease, as numbers.
    fn _accounts(&self) -> Vec<AccountId> {
        self.inner.accounts().map(|account| account.id()).collect()
    }

    /// Ends it as a block that is cancelled does, after so many requests, of which so many may be
    /// under way.
    fn _cancel(&self, requests: u64, open: u64) {
        self.inner.abandon_open(Abandoned::Cancelled, requests, open);
    }

    /// Ends it after so many requests that came to nothing.
    fn _fail(&self, requests: u64) {
        self.inner.abandon_after(Abandoned::Error, requests);
    }

    /// Ends it after so many requests of which the provider says that it bills none.
    fn _unbilled(&self, requests: u64) {
        self.inner.abandon_after(Abandoned::Unbilled, requests);
    }

    #[doc = stub!("BudgetLease.release")]
    fn release(&self) -> PyResult<()> {
        Ok(self.inner.release()?)
    }

    #[doc = stub!("BudgetLease.close")]
    fn close(&self) {
        self.inner.abandon(Abandoned::Error);
    }

    #[doc = stub!("BudgetLease.extend")]
    fn extend(&self, ttl: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.inner.extend(args::duration(ttl, "ttl")?)?)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        leave(slf, exception, value);
        false
    }

    fn __aenter__(slf: Py<Self>) -> Ready {
        Ready(slf.into_any())
    }

    fn __aexit__(
        slf: &Bound<'_, Self>,
        exception: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> Ready {
        leave(slf, exception, value);
        Ready(exception.py().None())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().inner.id() == self.inner.id())
    }

    fn __hash__(&self) -> u64 {
        self.inner.id()
    }

    fn __repr__(&self) -> String {
        let state = self.state().unwrap_or("of another process");
        let estimate = self.inner.estimate();
        format!(
            "<BudgetLease {} of {} tokens, {} micro-USD: {state}>",
            self.id(),
            estimate.total_tokens,
            estimate.cost_micros_usd,
        )
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("BudgetLease"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.owner.as_ref().map_or(Ok(()), |owner| visit.call(owner))
    }
}

/// An awaitable that is done: leases never wait.
#[pyclass(module = "outlay._core", frozen)]
struct Ready(Py<PyAny>);

#[pymethods]
impl Ready {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        // A tuple would be read as several arguments. A lease or None is no tuple.
        Err(PyStopIteration::new_err((self.0.clone_ref(py),)))
    }
}

/// Reads a lease argument.
pub(super) fn cast_lease<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyBudgetLease>> {
    value.cast::<PyBudgetLease>().map_err(|_| {
        let allowed = format!("a BudgetLease, not {}", args::type_name(value));
        Invalid::policy("lease", &allowed).into()
    })
}
