//! `Guard`: all limits of a policy at once.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use super::allotment::PyAllotment;
use super::asking;
use super::bound::PyBoundGuard;
use super::events::Listeners;
use super::keywords::GuardKeywords;
use super::label_cache::{LabelCache, addresses};
use super::labels::{CallLabels, GivenLabels, scope};
use super::policy::{read_dict, read_file, read_policy};
use super::report::explained;
use super::request::request;
use crate::accounting::{Invalid, Price};
use crate::budgets::{Guard, GuardPolicy};
use crate::ledger::Error;
use crate::py::args::{self, LeaseKeywords, OnErrorArg, StatusArg, UnsettledArg};
use crate::py::budgets::PyAllowanceLedger;
use crate::py::lease::PyBudgetLease;
use crate::py::python_call::{call_python_late, log_warning};
use crate::py::store::MadeOf;
use crate::py::values::{self, price};
use crate::py::waiting::{PyMailbox, PyWait};
use crate::store::Store;

/// Returns the price of a model that a policy does not price, or None. Called once for each model.
static RESOLVER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

#[doc = stub!("set_price_resolver")]
#[pyfunction]
pub(crate) fn set_price_resolver(py: Python<'_>, resolver: Py<PyAny>) {
    let _ = RESOLVER.set(py, resolver);
}

#[doc = stub!("Guard")]
#[pyclass(module = "outlay", name = "Guard", frozen, weakref)]
pub(crate) struct PyGuard {
    pub(crate) inner: Arc<Guard>,
    cache: LabelCache,
    listeners: Arc<Listeners>,
    /// Its store, whose events it tells.
    store: Option<Arc<Store>>,
    made: MadeOf,
}

impl PyGuard {
    fn of(
        given: &Bound<'_, PyAny>,
        mut policy: GuardPolicy,
        keywords: &GuardKeywords<'_, '_>,
    ) -> PyResult<Self> {
        keywords.leases.put_into(&mut policy.defaults.leases)?;
        let options = keywords.store(given.py(), &policy)?;
        let made = if options.store.is_some() { keywords.made(given)? } else { MadeOf::NOTHING };
        let store = options.store.clone();
        let guard = Guard::with(policy, options)?;
        Ok(Self {
            inner: Arc::new(
                guard
                    .resolving(Box::new(resolve))
                    .warning(Box::new(log_warning))
                    .telling_unpriced(values::tell_unpriced),
            ),
            cache: LabelCache::default(),
            listeners: Arc::default(),
            store,
            made,
        })
    }
}

/// The price of a model that the policy does not price.
fn resolve(model: &str, provider: Option<&str>) -> Result<Option<Price>, Error> {
    let asked = Python::attach(|py| {
        let Some(resolver) = RESOLVER.get(py) else { return Ok(None) };
        let found = call_python_late(py, || resolver.bind(py).call1((model, provider)))?;
        if found.is_none() {
            return Ok(None);
        }
        price(&format!("prices[{model:?}]"), &found).map(Some)
    });
    asked.map_err(|error: PyErr| {
        Invalid::sentence(format!(
            "genai-prices failed to price the model {model:?} ({error}); add the model to [prices]"
        ))
        .into()
    })
}

#[pymethods]
impl PyGuard {
    #[new]
    #[pyo3(signature = (policy, *, clock = None, lease_ttl = None, unsettled = None, on_error = None,
        store = None))]
    fn new(
        policy: &Bound<'_, PyAny>,
        clock: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: Option<UnsettledArg>,
        on_error: Option<OnErrorArg>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let leases = LeaseKeywords { lease_ttl, unsettled, on_error };
        let keywords = GuardKeywords { clock, leases, store };
        Self::of(policy, read_policy(policy)?, &keywords)
    }

    #[doc = stub!("Guard.from_toml")]
    #[classmethod]
    #[pyo3(signature = (path, *, clock = None, lease_ttl = None, unsettled = None, on_error = None,
        store = None))]
    fn from_toml(
        _class: &Bound<'_, PyType>,
        path: &Bound<'_, PyAny>,
        clock: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: Option<UnsettledArg>,
        on_error: Option<OnErrorArg>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let leases = LeaseKeywords { lease_ttl, unsettled, on_error };
        let keywords = GuardKeywords { clock, leases, store };
        Self::of(path, read_file(path)?, &keywords)
    }

    #[doc = stub!("Guard.from_dict")]
    #[classmethod]
    #[pyo3(signature = (policy, *, clock = None, lease_ttl = None, unsettled = None, on_error = None,
        store = None))]
    fn from_dict(
        _class: &Bound<'_, PyType>,
        policy: &Bound<'_, PyDict>,
        clock: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: Option<UnsettledArg>,
        on_error: Option<OnErrorArg>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let leases = LeaseKeywords { lease_ttl, unsettled, on_error };
        let keywords = GuardKeywords { clock, leases, store };
        Self::of(policy, read_dict(policy)?, &keywords)
    }

    #[doc = stub!("Guard.reserve")]
    #[pyo3(signature = (estimate = None, *, ttl = None, labels = None, **named))]
    fn reserve(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        ttl: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyBudgetLease> {
        let mut request = request(estimate, ttl, false)?;
        let scope = scope(py)?;
        let given = GivenLabels::new(py, labels, named);
        let own = if scope.is_none() { given.plain() } else { None };
        let plain = own.and_then(addresses);
        if let Some(pairs) = &plain
            && let Some(known) = self.cache.get(pairs)
            && let Some(lease) = self.inner.reserve_known(&known, &request)?
        {
            return Ok(PyBudgetLease::new(lease, None));
        }
        let all = CallLabels::with_scope(given, scope)?;
        let pairs = all.pairs()?;
        request.landing = all.landing;
        let lease = self.inner.reserve(&pairs, request)?;
        if let (Some(addresses), Some(own)) = (plain, own) {
            self.cache.set(addresses, own, self.inner.known(&pairs)?);
        }
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
            &*self.inner,
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
            &*self.inner,
            estimate,
            ttl,
            timeout,
            GivenLabels::new(named.py(), labels, Some(named)),
            mailbox,
        )
    }

    #[doc = stub!("Guard.reserve_blocking")]
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
        asking::block(py, &*self.inner, estimate, ttl, timeout, GivenLabels::new(py, labels, named))
    }

    #[doc = stub!("Guard.bind")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn bind(
        slf: &Bound<'_, Self>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyBoundGuard> {
        let given = GivenLabels::new(slf.py(), labels, named);
        let whose = slf.clone().into_any().unbind();
        PyBoundGuard::of((whose, &slf.get().inner), given, None)
    }

    #[doc = stub!("Guard.check")]
    #[pyo3(signature = (estimate = None, *, labels = None, **named))]
    fn check(
        &self,
        py: Python<'_>,
        estimate: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        asking::check(&*self.inner, estimate, GivenLabels::new(py, labels, named))
    }

    #[doc = stub!("Guard.charge_step")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn charge_step(
        &self,
        py: Python<'_>,
        labels: Option<&Bound<'_, PyAny>>,
        named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        Ok(self.inner.step(&CallLabels::of(GivenLabels::new(py, labels, named))?.pairs()?)?)
    }

    #[doc = stub!("Guard.allot")]
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
        let (labels, size, ttl) =
            asking::allot_args(amounts, ttl, GivenLabels::new(py, labels, named))?;
        Ok(PyAllotment::new(self.inner.allot(&labels.pairs()?, size, ttl)?))
    }

    #[doc = stub!("Guard.observe")]
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
        let given = GivenLabels::new(py, labels, named);
        asking::observe(&self.inner, headers, body, given, |labels, said| {
            self.inner.hear(labels, said, status.0)
        })
    }

    #[doc = stub!("Guard.update")]
    fn update(&self, policy: &Bound<'_, PyAny>) -> PyResult<()> {
        self.inner.update(read_policy(policy)?)?;
        Ok(())
    }

    #[doc = stub!("Guard.explain")]
    #[pyo3(signature = (*, labels = None, **named))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        labels: Option<&Bound<'py, PyAny>>,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        asking::explain(py, &self.inner, GivenLabels::new(py, labels, named))
    }

    #[doc = stub!("Guard.snapshot")]
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.cache.clear();
        explained(py, self.inner.snapshot()?)
    }

    #[doc = stub!("Guard.advice")]
    #[pyo3(signature = (*, estimate = None, labels = None, **named))]
    fn advice<'py>(
        &self,
        py: Python<'py>,
        estimate: Option<&Bound<'py, PyAny>>,
        labels: Option<&Bound<'py, PyAny>>,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        asking::advise(py, &self.inner, estimate, GivenLabels::new(py, labels, named))
    }

    #[doc = stub!("Guard.events")]
    fn events(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<()> {
        if !callback.bind(py).is_callable() {
            let given = args::type_name(callback.bind(py));
            return Err(Invalid::policy("callback", &format!("callable, not {given}")).into());
        }
        self.listeners.listen(&self.inner, self.store.as_deref(), callback);
        Ok(())
    }
    /// How its policy wants calls estimated, and the output to reserve; None where it does not say.
    fn _estimating(&self) -> (Option<&'static str>, Option<u64>) {
        asking::estimating(&self.inner)
    }

    /// Which cost of a call its policy books: "larger", "provider" or "computed".
    fn _cost_source(&self) -> &'static str {
        self.inner.cost_source().name()
    }

    fn _allowance_ledger(&self) -> PyAllowanceLedger {
        PyAllowanceLedger::of(self.inner.allowances())
    }

    fn __repr__(&self) -> String {
        match self.inner.snapshot() {
            Ok(counters) => format!("<Guard with {} counters>", counters.len()),
            Err(_) => "<Guard of another process>".to_owned(),
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let this = slf.get();
        if this.listeners.any() {
            let message = "this guard can not be pickled: it has a callback for its events; add the \
                           callback where the guard is used";
            return Err(PyTypeError::new_err(message));
        }
        this.made.reduced(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.made.traverse(&visit)?;
        self.listeners.traverse(&visit)
    }

    fn __clear__(&self) {
        self.listeners.clear();
    }
}
