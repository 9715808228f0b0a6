//! `AgentTokenBudget`.

use std::sync::Arc;
use std::time::Duration;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyMapping, PyTuple, PyType};

use super::on_warning::OnWarning;
use super::operation_cache::{OperationCache, name_of};
use crate::accounting::Invalid;
use crate::budgets::{AgentTokenBudget, OperationCosts, TokenBudgetOptions};
use crate::ledger::Error;
use crate::py::args::{self, OnErrorArg, UnsettledArg};
use crate::py::lease::PyBudgetLease;
use crate::py::python_call::interruptible;
use crate::py::store::{MadeOf, given, joined, made};
use crate::py::values;

#[doc = stub!("AgentTokenBudget")]
#[pyclass(module = "outlay", name = "AgentTokenBudget", frozen, weakref)]
pub(crate) struct PyAgentTokenBudget {
    pub(crate) inner: AgentTokenBudget,
    cache: OperationCache,
    warner: Option<Arc<OnWarning>>,
    made: MadeOf,
}

impl PyAgentTokenBudget {
    /// Returns the object that `on_warning` is called with. Leases keep it alive.
    pub(crate) fn remember(slf: &Bound<'_, Self>) -> Option<Py<PyAny>> {
        slf.get().warner.as_ref().map(|warner| {
            warner.remember(slf);
            slf.clone().into_any().unbind()
        })
    }

    #[inline]
    fn consume_now(
        slf: &Bound<'_, Self>,
        operation: &Bound<'_, PyAny>,
        estimated_tokens: &Bound<'_, PyAny>,
    ) -> PyResult<Result<(), Error>> {
        let this = slf.get();
        let cost = this.cache.cost(&this.inner, operation)?;
        let tokens = args::amount(estimated_tokens, "estimated_tokens")?;
        let Some(warner) = &this.warner else {
            return Ok(this.inner.consume_at(cost, tokens));
        };
        warner.remember(slf);
        interruptible(|| this.inner.consume_at(cost, tokens))
    }

    fn with_period(
        cls: &Bound<'_, PyType>,
        agent_id: &Bound<'_, PyAny>,
        tokens: &Bound<'_, PyAny>,
        hours: u64,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let period = Duration::from_secs(hours * 3600);
        Ok(cls.call((agent_id, tokens, period), keywords)?.unbind())
    }
}

#[pymethods]
impl PyAgentTokenBudget {
    #[new]
    #[pyo3(signature = (agent_id, total_tokens, period, *, warning_threshold = ThresholdArg(0.8),
        hard_limit = true, operation_costs = None, on_warning = None, lease_ttl = None,
        unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE, clock = None,
        store = None),
        text_signature = "(agent_id, total_tokens, period, *, warning_threshold=0.8, hard_limit=True, \
        operation_costs=None, on_warning=None, lease_ttl=None, unsettled='charge', \
        on_error='release', clock=None, store=None)")]
    #[expect(clippy::too_many_arguments, reason = "the keywords of the Python class")]
    fn new(
        py: Python<'_>,
        agent_id: &Bound<'_, PyAny>,
        total_tokens: &Bound<'_, PyAny>,
        period: &Bound<'_, PyAny>,
        warning_threshold: ThresholdArg,
        hard_limit: bool,
        operation_costs: Option<&Bound<'_, PyAny>>,
        on_warning: Option<&Bound<'_, PyAny>>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (kept, clock_of) = given(store, clock)?;
        let options = TokenBudgetOptions {
            warning_threshold: warning_threshold.0,
            hard_limit,
            operation_costs: operation_costs.map(costs).transpose()?.unwrap_or_default(),
            policy: args::policy(lease_ttl, &unsettled, &on_error)?,
            clock: clock_of,
            store: kept.clone(),
        };
        if on_warning.is_some_and(|callback| !callback.is_callable()) {
            return Err(Invalid::policy("on_warning", "a callable or None").into());
        }
        let id = args::id(agent_id, "agent_id")?;
        let total = args::amount(total_tokens, "total_tokens")?;
        let lasts = args::duration(period, "period")?;
        let inner = AgentTokenBudget::new(id.as_str(), total, lasts, options)?;
        let core = inner.account().core();
        let warner = on_warning.map(|callback| OnWarning::listen(callback.clone().unbind(), core));
        let hard_limit = PyBool::new(py, hard_limit);
        let threshold = PyFloat::new(py, warning_threshold.0);
        joined(py, kept.as_ref());
        let made = made(
            py,
            kept.as_ref(),
            None,
            &[agent_id, total_tokens, period],
            &[
                ("warning_threshold", Some(threshold.as_any())),
                ("hard_limit", Some(hard_limit.as_any())),
                ("operation_costs", operation_costs),
                ("on_warning", on_warning),
                ("lease_ttl", lease_ttl),
                ("unsettled", Some(&unsettled.shown(py))),
                ("on_error", Some(&on_error.shown(py))),
                ("clock", clock),
                ("store", store),
            ],
        )?;
        Ok(Self { inner, cache: OperationCache::new(), warner, made })
    }

    #[doc = stub!("AgentTokenBudget.daily")]
    #[classmethod]
    #[pyo3(signature = (agent_id, tokens, **keywords),
        text_signature = "($cls, agent_id, tokens, *, warning_threshold=0.8, hard_limit=True, \
        operation_costs=None, on_warning=None, lease_ttl=None, unsettled='charge', \
        on_error='release', clock=None, store=None)")]
    fn daily(
        cls: &Bound<'_, PyType>,
        agent_id: &Bound<'_, PyAny>,
        tokens: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Self::with_period(cls, agent_id, tokens, 24, keywords)
    }

    #[doc = stub!("AgentTokenBudget.hourly")]
    #[classmethod]
    #[pyo3(signature = (agent_id, tokens, **keywords),
        text_signature = "($cls, agent_id, tokens, *, warning_threshold=0.8, hard_limit=True, \
        operation_costs=None, on_warning=None, lease_ttl=None, unsettled='charge', \
        on_error='release', clock=None, store=None)")]
    fn hourly(
        cls: &Bound<'_, PyType>,
        agent_id: &Bound<'_, PyAny>,
        tokens: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Self::with_period(cls, agent_id, tokens, 1, keywords)
    }

    #[doc = stub!("AgentTokenBudget.consume")]
    fn consume(
        slf: &Bound<'_, Self>,
        operation: &Bound<'_, PyAny>,
        estimated_tokens: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Ok(Self::consume_now(slf, operation, estimated_tokens)??)
    }

    #[doc = stub!("AgentTokenBudget.try_consume")]
    fn try_consume(
        slf: &Bound<'_, Self>,
        operation: &Bound<'_, PyAny>,
        estimated_tokens: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        match Self::consume_now(slf, operation, estimated_tokens)? {
            Ok(()) => Ok(true),
            Err(Error::Denied(_)) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    #[doc = stub!("AgentTokenBudget.check")]
    fn check(
        &self,
        operation: &Bound<'_, PyAny>,
        estimated_tokens: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let operation = name_of(operation)?;
        let tokens = args::amount(estimated_tokens, "estimated_tokens")?;
        Ok(self.inner.check(operation, tokens)?)
    }

    #[doc = stub!("AgentTokenBudget.reserve")]
    #[pyo3(signature = (operation, estimated_tokens, *, ttl = None))]
    fn reserve(
        slf: &Bound<'_, Self>,
        operation: &Bound<'_, PyAny>,
        estimated_tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        let owner = Self::remember(slf);
        let operation = name_of(operation)?;
        let estimate = values::estimate(estimated_tokens, "estimated_tokens")?;
        let lease = slf.get().inner.reserve(operation, estimate, args::ttl(ttl)?)?;
        Ok(PyBudgetLease::new(lease, owner))
    }

    #[doc = stub!("AgentTokenBudget.remaining")]
    fn remaining(&self) -> PyResult<u64> {
        Ok(self.inner.remaining()?)
    }

    #[doc = stub!("AgentTokenBudget.used")]
    fn used(&self) -> PyResult<u64> {
        Ok(self.inner.used()?)
    }

    #[doc = stub!("AgentTokenBudget.reserved")]
    fn reserved(&self) -> PyResult<u64> {
        Ok(self.inner.reserved()?)
    }

    #[doc = stub!("AgentTokenBudget.usage_percentage")]
    fn usage_percentage(&self) -> PyResult<f64> {
        Ok(self.inner.usage_percentage()?)
    }

    #[doc = stub!("AgentTokenBudget.is_warning")]
    fn is_warning(&self) -> PyResult<bool> {
        Ok(self.inner.is_warning()?)
    }

    #[doc = stub!("AgentTokenBudget.time_until_reset")]
    fn time_until_reset(&self) -> PyResult<f64> {
        Ok(self.inner.time_until_reset()?.as_secs_f64())
    }

    #[doc = stub!("AgentTokenBudget.reset")]
    fn reset(&self) -> PyResult<()> {
        Ok(self.inner.reset()?)
    }

    #[doc = stub!("AgentTokenBudget.add_operation_cost")]
    fn add_operation_cost(
        &self,
        operation: &Bound<'_, PyAny>,
        cost: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.cache.set(&self.inner, operation, args::amount(cost, "cost")?)
    }

    #[doc = stub!("AgentTokenBudget.operation_costs")]
    #[getter]
    fn operation_costs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let costs = PyDict::new(py);
        for (name, cost) in self.inner.operation_costs().iter() {
            costs.set_item(name, cost)?;
        }
        Ok(costs)
    }

    #[doc = stub!("AgentTokenBudget.agent_id")]
    #[getter]
    fn agent_id(&self) -> &str {
        self.inner.agent_id()
    }

    #[doc = stub!("AgentTokenBudget.total_tokens")]
    #[getter]
    fn total_tokens(&self) -> u64 {
        self.inner.total_tokens()
    }

    #[doc = stub!("AgentTokenBudget.period")]
    #[getter]
    const fn period(&self) -> f64 {
        self.inner.period().as_secs_f64()
    }

    #[doc = stub!("AgentTokenBudget.warning_threshold")]
    #[getter]
    const fn warning_threshold(&self) -> f64 {
        self.inner.warning_threshold()
    }

    #[doc = stub!("AgentTokenBudget.hard_limit")]
    #[getter]
    const fn hard_limit(&self) -> bool {
        self.inner.hard_limit()
    }

    fn __repr__(&self) -> String {
        let period = self.inner.period().as_secs_f64();
        format!(
            "<AgentTokenBudget {:?} of {} tokens in {period} s>",
            self.inner.agent_id(),
            self.inner.total_tokens(),
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().made.reduced(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.made.traverse(&visit)?;
        self.warner.as_ref().map_or(Ok(()), |warner| visit.call(warner.callback()))
    }
}

/// The keyword `warning_threshold`.
struct ThresholdArg(f64);

impl<'py> FromPyObject<'_, 'py> for ThresholdArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        args::number(&given).map(Self).ok_or_else(|| {
            let allowed = format!("a number from 0 to 1, not {}", args::type_name(&given));
            Invalid::policy("warning_threshold", &allowed).into()
        })
    }
}

fn costs(value: &Bound<'_, PyAny>) -> PyResult<OperationCosts> {
    let mapping = value.cast::<PyMapping>().map_err(|_| {
        let allowed = format!("a mapping of operations to costs, not {}", args::type_name(value));
        PyErr::from(Invalid::policy("operation_costs", &allowed))
    })?;
    let mut costs = OperationCosts::from_iter::<[(String, u64); 0]>([]);
    for item in mapping.items()? {
        let (operation, cost): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let operation = name_of(&operation)?;
        costs.set(operation, args::amount(&cost, "operation_costs")?);
    }
    Ok(costs)
}
