//! `RateLimiter`.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::accounting::{Invalid, Usage};
use crate::budgets::{RateLimiter, RateOptions};
use crate::ledger::{Error, Lease, Request, Wait, reserve, without_store};
use crate::py::args::{self, OnErrorArg, StatusArg, TokensArg, UnsettledArg};
use crate::py::lease::PyBudgetLease;
use crate::py::store::{MadeOf, given, joined, made, name_or};
use crate::py::values;
use crate::py::waiting::{PyMailbox, PyWait, block, block_for_lease};
use crate::store::Store;

const MINUTE: f64 = 60.0;

#[doc = stub!("RateLimiter")]
#[pyclass(module = "outlay", name = "RateLimiter", frozen, weakref)]
pub(crate) struct PyRateLimiter(pub(crate) RateLimiter, MadeOf);

#[pymethods]
impl PyRateLimiter {
    #[new]
    #[pyo3(signature = (tokens_per_minute, *, threshold = None, lease_ttl = None,
        unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE, clock = None, store = None,
        name = None),
        text_signature = "(tokens_per_minute, *, threshold=None, lease_ttl=None, \
        unsettled='charge', on_error='release', clock=None, store=None, name=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn new(
        py: Python<'_>,
        tokens_per_minute: &Bound<'_, PyAny>,
        threshold: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let tokens = args::amount(tokens_per_minute, "tokens_per_minute")?;
        let given =
            LimiterKeywords { threshold, lease_ttl, unsettled, on_error, clock, store, name };
        let options = given.options()?;
        let store = options.store.clone();
        let limiter = RateLimiter::new(tokens, options)?;
        Ok(Self(limiter, given.made(py, store.as_ref(), None, &[tokens_per_minute])?))
    }

    #[doc = stub!("RateLimiter.per")]
    #[staticmethod]
    #[pyo3(signature = (tokens, period, *, threshold = None, lease_ttl = None,
        unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE, clock = None, store = None,
        name = None),
        text_signature = "(tokens, period, *, threshold=None, lease_ttl=None, \
        unsettled='charge', on_error='release', clock=None, store=None, name=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn per(
        py: Python<'_>,
        tokens: &Bound<'_, PyAny>,
        period: &Bound<'_, PyAny>,
        threshold: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let most = args::amount(tokens, "tokens")?;
        let window = args::duration(period, "period")?;
        let given =
            LimiterKeywords { threshold, lease_ttl, unsettled, on_error, clock, store, name };
        let options = given.options()?;
        let store = options.store.clone();
        let limiter = RateLimiter::per(most, window, options)?;
        Ok(Self(limiter, given.made(py, store.as_ref(), Some("per"), &[tokens, period])?))
    }

    #[doc = stub!("RateLimiter.limit")]
    #[getter]
    const fn limit(&self) -> u64 {
        self.0.limit()
    }

    #[doc = stub!("RateLimiter.window")]
    #[getter]
    fn window(&self) -> f64 {
        self.0.window().as_secs_f64()
    }

    #[doc = stub!("RateLimiter.threshold")]
    #[getter]
    const fn threshold(&self) -> f64 {
        self.0.threshold()
    }

    #[doc = stub!("RateLimiter.tokens_per_minute")]
    #[getter]
    #[expect(clippy::cast_precision_loss, reason = "a rate, for display; the limit is exact")]
    fn tokens_per_minute(&self) -> f64 {
        self.0.limit() as f64 * MINUTE / self.window()
    }

    #[doc = stub!("RateLimiter.try_acquire")]
    #[pyo3(signature = (tokens = TokensArg(0)), text_signature = "($self, tokens=0)")]
    fn try_acquire(&self, tokens: TokensArg) -> PyResult<bool> {
        Ok(self.0.try_acquire(tokens.0)?)
    }

    /// `try_acquire` for `acquire_slot`, whose timeout is checked first.
    fn _try_slot(&self, tokens: TokensArg, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        args::timeout(timeout)?;
        self.slot_now(tokens.0)
    }

    fn _wait_for_slot(
        &self,
        tokens: TokensArg,
        timeout: Option<&Bound<'_, PyAny>>,
        mailbox: &Bound<'_, PyMailbox>,
    ) -> PyResult<PyWait> {
        let (timeout, mailbox) = (args::timeout(timeout)?, mailbox.get().0.clone());
        Ok(PyWait::new(self.0.wait_for_slot(tokens.0, timeout, mailbox)?, None))
    }

    #[doc = stub!("RateLimiter.acquire_slot_blocking")]
    #[pyo3(signature = (tokens = TokensArg(0), *, timeout = None),
        text_signature = "($self, tokens=0, *, timeout=None)")]
    fn acquire_slot_blocking(
        &self,
        py: Python<'_>,
        tokens: TokensArg,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let TokensArg(tokens) = tokens;
        let timeout = args::timeout(timeout)?;
        if !self.slot_now(tokens)? {
            block(py, |mailbox| self.0.wait_for_slot(tokens, timeout, mailbox))?;
        }
        Ok(())
    }

    #[doc = stub!("RateLimiter.reserve")]
    #[pyo3(signature = (tokens, *, ttl = None, model = None),
        text_signature = "($self, tokens, *, ttl=None, model=None)")]
    fn reserve(
        &self,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        model: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        let model = model_name(model)?;
        let lease = self.lease(estimate(tokens)?, args::ttl(ttl)?, model.as_deref())?;
        Ok(PyBudgetLease::new(lease, None))
    }

    /// `reserve`, or None where it is to wait.
    fn _try_reserve(
        &self,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        model: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyBudgetLease>> {
        args::timeout(timeout)?;
        let model = model_name(model)?;
        let (estimate, ttl) = (estimate(tokens)?, args::ttl(ttl)?);
        match without_store(|| self.lease(estimate, ttl, model.as_deref())) {
            Ok(lease) => Ok(Some(PyBudgetLease::new(lease, None))),
            Err(Error::Denied(_) | Error::Short) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn _wait(
        &self,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        model: Option<&Bound<'_, PyAny>>,
        mailbox: &Bound<'_, PyMailbox>,
    ) -> PyResult<PyWait> {
        let model = model_name(model)?;
        let (estimate, ttl) = (estimate(tokens)?, args::ttl(ttl)?);
        let (timeout, mailbox) = (args::timeout(timeout)?, mailbox.get().0.clone());
        let asks = self.0.asks(&estimate, model.as_deref())?;
        let request = Request { ttl, ..estimate.into() };
        Ok(PyWait::new(Wait::for_lease(&asks, request, timeout, mailbox)?, None))
    }

    #[doc = stub!("RateLimiter.reserve_blocking")]
    #[pyo3(signature = (tokens, *, ttl = None, timeout = None, model = None),
        text_signature = "($self, tokens, *, ttl=None, timeout=None, model=None)")]
    fn reserve_blocking(
        &self,
        py: Python<'_>,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        model: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        if let Some(lease) = self._try_reserve(tokens, ttl, timeout, model)? {
            return Ok(lease);
        }
        let model = model_name(model)?;
        let (estimate, ttl) = (estimate(tokens)?, args::ttl(ttl)?);
        let timeout = args::timeout(timeout)?;
        let asks = self.0.asks(&estimate, model.as_deref())?;
        let request = Request { ttl, ..estimate.into() };
        let join = |mailbox| Wait::for_lease(&asks, request, timeout, mailbox);
        Ok(PyBudgetLease::new(block_for_lease(py, join)?, None))
    }

    #[doc = stub!("RateLimiter.record_usage")]
    fn record_usage(&self, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.0.record_usage(estimate(tokens)?.total_tokens)?)
    }

    #[doc = stub!("RateLimiter.current_usage")]
    fn current_usage(&self) -> PyResult<u64> {
        Ok(self.0.current_usage()?)
    }

    #[doc = stub!("RateLimiter.retry_after")]
    #[pyo3(signature = (tokens = TokensArg(0)), text_signature = "($self, tokens=0)")]
    fn retry_after(&self, tokens: TokensArg) -> PyResult<f64> {
        let wait = self.0.retry_after(tokens.0)?;
        Ok(wait.map_or(f64::INFINITY, args::seconds_up))
    }

    #[doc = stub!("RateLimiter.observe")]
    #[pyo3(signature = (headers, status = StatusArg(200), *, body = None, model = None),
        text_signature = "($self, headers, status=200, *, body=None, model=None)")]
    fn observe(
        &self,
        headers: &Bound<'_, PyAny>,
        status: StatusArg,
        body: Option<&Bound<'_, PyAny>>,
        model: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let said = values::read_said(headers, body, self.0.account().core().clock())?;
        Ok(self.0.hear(&said, status.0, model_name(model)?.as_deref())?)
    }

    fn __repr__(&self) -> String {
        let (limit, window) = (self.0.limit(), self.window());
        match self.0.current_usage() {
            Ok(used) => format!("<RateLimiter: {used} of {limit} tokens used in {window} s>"),
            Err(_) => "<RateLimiter of another process>".to_owned(),
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().1.reduced(slf)
    }
}

impl PyRateLimiter {
    /// Admits if there is room now, without waiting for a store.
    fn slot_now(&self, tokens: u64) -> PyResult<bool> {
        match without_store(|| self.0.try_acquire(tokens)) {
            Err(Error::Short) => Ok(false),
            admitted => Ok(admitted?),
        }
    }

    /// A lease of a call, which may name its model.
    #[inline]
    fn lease(
        &self,
        estimate: Usage,
        ttl: Option<Duration>,
        model: Option<&str>,
    ) -> Result<Lease, Error> {
        if model.is_none() {
            return self.0.reserve(estimate, ttl);
        }
        let asks = self.0.asks(&estimate, model)?;
        reserve(&asks, &Request { ttl, ..estimate.into() })
    }
}

/// The model that a call names.
fn model_name(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    value.extract().map(Some).map_err(|_| {
        let given = args::type_name(value);
        Invalid::policy("model", &format!("a text or None, not {given}")).into()
    })
}

fn estimate(value: &Bound<'_, PyAny>) -> PyResult<Usage> {
    values::estimate(value, "tokens")
}

/// The keywords of the class.
struct LimiterKeywords<'a, 'py> {
    threshold: Option<&'a Bound<'py, PyAny>>,
    lease_ttl: Option<&'a Bound<'py, PyAny>>,
    unsettled: UnsettledArg,
    on_error: OnErrorArg,
    clock: Option<&'a Bound<'py, PyAny>>,
    store: Option<&'a Bound<'py, PyAny>>,
    name: Option<&'a Bound<'py, PyAny>>,
}

impl LimiterKeywords<'_, '_> {
    fn options(&self) -> PyResult<RateOptions> {
        let defaults = RateOptions::default();
        let share = |value| args::number(value).unwrap_or(f64::NAN);
        let (store, clock) = given(self.store, self.clock)?;
        Ok(RateOptions {
            // A value that is no number is no share. The core names the argument.
            threshold: self.threshold.map_or(defaults.threshold, share),
            policy: args::policy(self.lease_ttl, &self.unsettled, &self.on_error)?,
            clock,
            store,
            name: name_or(self.name, defaults.name)?,
        })
    }

    fn made(
        &self,
        py: Python<'_>,
        store: Option<&Arc<Store>>,
        method: Option<&'static str>,
        arguments: &[&Bound<'_, PyAny>],
    ) -> PyResult<MadeOf> {
        joined(py, store);
        made(
            py,
            store,
            method,
            arguments,
            &[
                ("threshold", self.threshold),
                ("lease_ttl", self.lease_ttl),
                ("unsettled", Some(&self.unsettled.shown(py))),
                ("on_error", Some(&self.on_error.shown(py))),
                ("clock", self.clock),
                ("store", self.store),
                ("name", self.name),
            ],
        )
    }
}
