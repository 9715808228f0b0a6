//! `Allotment`: an amount of the budgets of a guard, for a sub-agent.

use parking_lot::RwLock;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::asking;
use super::labels::{CallLabels, GivenLabels};
use super::request::request;
use crate::budgets::Allotment;
use crate::ledger::{AccountId, Error, LeaseError};
use crate::py::args::{self, StatusArg};
use crate::py::lease::PyBudgetLease;
use crate::py::waiting::{PyMailbox, PyWait};

#[doc = stub!("Allotment")]
#[pyclass(module = "outlay", name = "Allotment", frozen, weakref)]
pub(crate) struct PyAllotment(RwLock<Option<Allotment>>);

impl PyAllotment {
    pub(crate) const fn new(inner: Allotment) -> Self {
        Self(RwLock::new(Some(inner)))
    }

    /// The allotment, unless it was closed.
    pub(crate) fn open(&self) -> Result<Allotment, Error> {
        self.0.read().clone().ok_or_else(|| LeaseError::Finalized.into())
    }
}

#[pymethods]
impl PyAllotment {
    #[doc = stub!("Allotment.reserve")]
    #[pyo3(signature = (estimate = None, *, ttl = None, labels = None, **named))]
    fn reserve(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyBudgetLease> {
        let labels = CallLabels::of(GivenLabels::new(py, labels, named))?;
        let request = request(estimate, ttl, labels.landing)?;
        let lease = self.open()?.reserve(&labels.pairs()?, request)?;
        Ok(PyBudgetLease::new(lease, None))
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
        asking::try_reserve(
            &self.open()?,
            estimate,
            ttl,
            timeout,
            GivenLabels::new(named.py(), labels, Some(named)),
        )
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
        asking::wait(
            &self.open()?,
            estimate,
            ttl,
            timeout,
            GivenLabels::new(named.py(), labels, Some(named)),
            mailbox,
        )
    }

    #[doc = stub!("Allotment.reserve_blocking")]
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
        asking::block(
            py,
            &self.open()?,
            estimate,
            ttl,
            timeout,
            GivenLabels::new(py, labels, named),
        )
    }

    #[doc = stub!("Allotment.check")]
    #[pyo3(signature = (estimate = None, *, labels = None, **named))]
    fn check(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        asking::check(&self.open()?, estimate, GivenLabels::new(py, labels, named))
    }

    #[doc = stub!("Allotment.charge_step")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn charge_step(
        &self,
        py: Python<'_>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        Ok(self.open()?.step(&CallLabels::of(GivenLabels::new(py, labels, named))?.pairs()?)?)
    }

    #[doc = stub!("Allotment.allot")]
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
    ) -> PyResult<Self> {
        let amounts = [tokens, cost_micros_usd, calls];
        let (labels, size, ttl) =
            asking::allot_args(amounts, ttl, GivenLabels::new(py, labels, named))?;
        Ok(Self::new(self.open()?.allot(&labels.pairs()?, size, ttl)?))
    }

    #[doc = stub!("Allotment.remaining")]
    fn remaining<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let left = self.open()?.remaining()?;
        let dict = PyDict::new(py);
        dict.set_item("tokens", left.tokens)?;
        dict.set_item("cost_micros_usd", left.cost_micros_usd)?;
        dict.set_item("calls", left.calls)?;
        Ok(dict)
    }

    /// How the policy of its guard wants calls estimated; see `Guard._estimating`.
    fn _estimating(&self) -> PyResult<(Option<&'static str>, Option<u64>)> {
        Ok(asking::estimating(self.open()?.guard()))
    }

    /// Which cost of a call the policy of its guard books; see `Guard._cost_source`.
    fn _cost_source(&self) -> PyResult<&'static str> {
        Ok(self.open()?.guard().cost_source().name())
    }

    #[doc = stub!("Allotment.observe")]
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
        let (open, given) = (self.open()?, GivenLabels::new(py, labels, named));
        asking::observe(open.guard(), headers, body, given, |labels, said| {
            open.hear(labels, said, status.0)
        })
    }

    /// The run that its labels name; None where they name none.
    fn _run(&self) -> PyResult<Option<String>> {
        let open = self.open()?;
        let run = open.labels().iter().find(|(name, _)| name == "run");
        Ok(run.map(|(_, value)| value.clone()))
    }

    /// The accounts that its requests pay, as numbers.
    fn _accounts(&self) -> PyResult<Vec<AccountId>> {
        Ok(self.open()?.accounts().iter().map(|account| account.id()).collect())
    }

    #[doc = stub!("Allotment.close")]
    fn close(&self) {
        let allotment = self.0.write().take();
        // Dropped outside of the lock: at its end an allotment reports to its parent.
        if let Some(allotment) = allotment {
            allotment.close();
        }
    }

    #[doc = stub!("Allotment.closed")]
    #[getter]
    fn closed(&self) -> bool {
        self.0.read().is_none()
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
        self.close();
        false
    }

    fn __repr__(&self) -> &'static str {
        if self.closed() { "<Allotment, closed>" } else { "<Allotment>" }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("Allotment"))
    }
}
