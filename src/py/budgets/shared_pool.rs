//! `SharedPool`.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::accounting::{Code, Invalid, RequestBudget};
use crate::budgets::{PoolOptions, SharedPool};
use crate::ledger::{Error, Request, without_store};
use crate::py::args::{self, OnErrorArg, UnsettledArg};
use crate::py::lease::{PyBudgetLease, cast_lease};
use crate::py::store::{MadeOf, given, joined, made, name_or};
use crate::py::values::{self, PyRemaining, PyRequestBudget, PyUsage};
use crate::py::waiting::{PyMailbox, PyWait, block_for_lease};

#[doc = stub!("SharedPool")]
#[pyclass(module = "outlay", name = "SharedPool", frozen, weakref)]
pub(crate) struct PySharedPool(pub(crate) SharedPool, MadeOf);

#[pymethods]
impl PySharedPool {
    #[new]
    #[pyo3(signature = (*, capacity_tokens = None, capacity_cost_micros_usd = None,
        stop_threshold_tokens = None, stop_threshold_cost_micros_usd = None, lease_ttl = None,
        unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE, clock = None,
        store = None, name = None),
        text_signature = "(*, capacity_tokens=None, capacity_cost_micros_usd=None, \
        stop_threshold_tokens=None, stop_threshold_cost_micros_usd=None, lease_ttl=None, \
        unsettled='charge', on_error='release', clock=None, store=None, name=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn new(
        py: Python<'_>,
        capacity_tokens: Option<&Bound<'_, PyAny>>,
        capacity_cost_micros_usd: Option<&Bound<'_, PyAny>>,
        stop_threshold_tokens: Option<&Bound<'_, PyAny>>,
        stop_threshold_cost_micros_usd: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let amount = args::limit;
        let unless = PoolOptions::default();
        let (kept, clock_of) = given(store, clock)?;
        let pool = SharedPool::new(PoolOptions {
            capacity_tokens: amount(capacity_tokens, "capacity_tokens")?,
            capacity_cost_micros_usd: amount(capacity_cost_micros_usd, "capacity_cost_micros_usd")?,
            stop_threshold_tokens: amount(stop_threshold_tokens, "stop_threshold_tokens")?
                .unwrap_or(0),
            stop_threshold_cost_micros_usd: amount(
                stop_threshold_cost_micros_usd,
                "stop_threshold_cost_micros_usd",
            )?
            .unwrap_or(0),
            policy: args::policy(lease_ttl, &unsettled, &on_error)?,
            clock: clock_of,
            store: kept.clone(),
            name: name_or(name, unless.name)?,
        })?;
        joined(py, kept.as_ref());
        let made = made(
            py,
            kept.as_ref(),
            None,
            &[],
            &[
                ("capacity_tokens", capacity_tokens),
                ("capacity_cost_micros_usd", capacity_cost_micros_usd),
                ("stop_threshold_tokens", stop_threshold_tokens),
                ("stop_threshold_cost_micros_usd", stop_threshold_cost_micros_usd),
                ("lease_ttl", lease_ttl),
                ("unsettled", Some(&unsettled.shown(py))),
                ("on_error", Some(&on_error.shown(py))),
                ("clock", clock),
                ("store", store),
                ("name", name),
            ],
        )?;
        Ok(Self(pool, made))
    }

    #[doc = stub!("SharedPool.reserve")]
    #[pyo3(signature = (estimate, request_budget = None, *, ttl = None))]
    fn reserve(
        &self,
        estimate: &Bound<'_, PyAny>,
        request_budget: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        let request = request(estimate, request_budget, ttl)?;
        Ok(PyBudgetLease::new(self.0.reserve(request)?, None))
    }

    /// `reserve`, or None where it is to wait.
    fn _try_reserve(
        &self,
        estimate: &Bound<'_, PyAny>,
        request_budget: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyBudgetLease>> {
        args::timeout(timeout)?;
        let request = request(estimate, request_budget, ttl)?;
        match without_store(|| self.0.reserve(request)) {
            Ok(lease) => Ok(Some(PyBudgetLease::new(lease, None))),
            Err(Error::Denied(denied)) if denied.code == Code::ThresholdExceeded => Ok(None),
            Err(Error::Short) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn _wait(
        &self,
        estimate: &Bound<'_, PyAny>,
        request_budget: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        mailbox: &Bound<'_, PyMailbox>,
    ) -> PyResult<PyWait> {
        let request = request(estimate, request_budget, ttl)?;
        let (timeout, mailbox) = (args::timeout(timeout)?, mailbox.get().0.clone());
        Ok(PyWait::new(self.0.wait(request, timeout, mailbox)?, None))
    }

    #[doc = stub!("SharedPool.reserve_blocking")]
    #[pyo3(signature = (estimate, request_budget = None, *, ttl = None, timeout = None))]
    fn reserve_blocking(
        &self,
        py: Python<'_>,
        estimate: &Bound<'_, PyAny>,
        request_budget: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        if let Some(lease) = self._try_reserve(estimate, request_budget, ttl, timeout)? {
            return Ok(lease);
        }
        let request = request(estimate, request_budget, ttl)?;
        let timeout = args::timeout(timeout)?;
        let lease = block_for_lease(py, |mailbox| self.0.wait(request, timeout, mailbox))?;
        Ok(PyBudgetLease::new(lease, None))
    }

    #[doc = stub!("SharedPool.record_used")]
    fn record_used(&self, lease: &Bound<'_, PyAny>, usage: &Bound<'_, PyAny>) -> PyResult<()> {
        let lease = cast_lease(lease)?;
        Ok(self.0.record_used(&lease.get().inner, values::actual(usage)?)?)
    }

    #[doc = stub!("SharedPool.remaining")]
    fn remaining(&self) -> PyResult<PyRemaining> {
        Ok(self.0.remaining()?.into())
    }

    #[doc = stub!("SharedPool.committed")]
    fn committed(&self) -> PyResult<PyUsage> {
        Ok(PyUsage(self.0.committed()?))
    }

    #[doc = stub!("SharedPool.reserved")]
    fn reserved(&self) -> PyResult<PyUsage> {
        Ok(PyUsage(self.0.reserved()?))
    }

    #[doc = stub!("SharedPool.open_leases")]
    fn open_leases(&self) -> PyResult<Vec<PyBudgetLease>> {
        let leases = self.0.open_leases()?.into_iter();
        Ok(leases.map(|lease| PyBudgetLease::new(lease, None)).collect())
    }

    fn __repr__(&self) -> String {
        match self.0.remaining() {
            Ok(left) => format!("<SharedPool with {} left>", PyRemaining::from(left).text()),
            Err(_) => "<SharedPool of another process>".to_owned(),
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().1.reduced(slf)
    }
}

#[inline(always)] // it is large: not copied on its way
fn request(
    estimate: &Bound<'_, PyAny>,
    request_budget: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
) -> PyResult<Request> {
    let estimate = values::estimate(estimate, "estimate")?;
    let request_budget = request_budget.map_or(Ok(RequestBudget::unlimited()), cap)?;
    Ok(Request { request_budget, ttl: args::ttl(ttl)?, ..estimate.into() })
}

fn cap(value: &Bound<'_, PyAny>) -> PyResult<RequestBudget> {
    let cap = value.cast::<PyRequestBudget>().map_err(|_| {
        let allowed = format!("a RequestBudget or None, not {}", args::type_name(value));
        PyErr::from(Invalid::policy("request_budget", &allowed))
    })?;
    Ok(cap.get().0)
}
