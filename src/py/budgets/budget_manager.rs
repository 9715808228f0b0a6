//! `BudgetManager` and `AgentBudget`.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::accounting::Invalid;
use crate::budgets::{AgentBudget, BudgetManager, ManagerOptions};
use crate::py::args::{self, CallsArg, OnErrorArg, UnsettledArg};
use crate::py::budgets::budget_info::{PyBudgetInfo, PyBudgetLimit, PyFullBudgetInfo};
use crate::py::lease::PyBudgetLease;
use crate::py::store::{MadeOf, given, made};
use crate::py::values;

#[doc = stub!("BudgetManager")]
#[pyclass(module = "outlay", name = "BudgetManager", frozen, weakref)]
pub(crate) struct PyBudgetManager(BudgetManager, MadeOf);

#[pymethods]
impl PyBudgetManager {
    #[new]
    #[pyo3(signature = (*, lease_ttl = None, unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE,
        clock = None, store = None),
        text_signature = "(*, lease_ttl=None, unsettled='charge', on_error='release', clock=None, \
        store=None)")]
    fn new(
        py: Python<'_>,
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let policy = args::policy(lease_ttl, &unsettled, &on_error)?;
        let (kept, clock_of) = given(store, clock)?;
        let manager =
            BudgetManager::with(ManagerOptions { policy, clock: clock_of, store: kept.clone() })?;
        let made = made(
            py,
            kept.as_ref(),
            None,
            &[],
            &[
                ("lease_ttl", lease_ttl),
                ("unsettled", Some(&unsettled.shown(py))),
                ("on_error", Some(&on_error.shown(py))),
                ("clock", clock),
                ("store", store),
            ],
        )?;
        Ok(Self(manager, made))
    }

    #[doc = stub!("BudgetManager.set_budget")]
    fn set_budget(&self, limit: &Bound<'_, PyAny>) -> PyResult<()> {
        let limit = limit.cast::<PyBudgetLimit>().map_err(|_| {
            let allowed = format!("a BudgetLimit, not {}", args::type_name(limit));
            PyErr::from(Invalid::policy("limit", &allowed))
        })?;
        Ok(self.0.set_budget(&limit.get().0)?)
    }

    #[doc = stub!("BudgetManager.remove_budget")]
    fn remove_budget(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.remove_budget(id.as_str())?)
    }

    #[doc = stub!("BudgetManager.reserve")]
    fn reserve(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        let tokens = args::amount(tokens, "tokens")?;
        Ok(self.0.reserve(id.as_str(), tokens)?)
    }

    #[doc = stub!("BudgetManager.release")]
    fn release(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        let tokens = args::amount(tokens, "tokens")?;
        Ok(self.0.release(id.as_str(), tokens)?)
    }

    #[doc = stub!("BudgetManager.track_call")]
    fn track_call(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.track_call(id.as_str())?)
    }

    #[doc = stub!("BudgetManager.remaining")]
    fn remaining(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyBudgetInfo> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.remaining(id.as_str())?.into())
    }

    #[doc = stub!("BudgetManager.can_schedule")]
    fn can_schedule(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.can_schedule(id.as_str())?)
    }

    #[doc = stub!("BudgetManager.reset_window")]
    fn reset_window(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.reset_window(id.as_str())?)
    }

    #[doc = stub!("BudgetManager.full_info")]
    fn full_info(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<Option<PyFullBudgetInfo>> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.full_info(id.as_str())?.map(Into::into))
    }

    #[doc = stub!("BudgetManager.all_full_info")]
    fn all_full_info(&self) -> PyResult<Vec<PyFullBudgetInfo>> {
        Ok(self.0.all_full_info()?.into_iter().map(Into::into).collect())
    }

    #[doc = stub!("BudgetManager.agent")]
    fn agent(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyAgentBudget> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(PyAgentBudget(self.0.agent(id.as_str())?))
    }

    #[doc = stub!("BudgetManager.persist")]
    fn persist(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py.detach(|| self.0.persist(&path))?)
    }

    #[doc = stub!("BudgetManager.restore")]
    fn restore(&self, py: Python<'_>, path: PathBuf) -> PyResult<bool> {
        Ok(py.detach(|| self.0.restore(&path))?)
    }

    fn __repr__(&self) -> &'static str {
        "<BudgetManager>"
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().1.reduced(slf)
    }
}

#[doc = stub!("AgentBudget")]
#[pyclass(module = "outlay", name = "AgentBudget", frozen, weakref)]
pub(crate) struct PyAgentBudget(pub(crate) AgentBudget);

#[pymethods]
impl PyAgentBudget {
    #[doc = stub!("AgentBudget.agent_id")]
    #[getter]
    fn agent_id(&self) -> &str {
        self.0.agent_id()
    }

    #[doc = stub!("AgentBudget.reserve")]
    #[pyo3(signature = (tokens, *, ttl = None))]
    fn reserve(
        &self,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        let estimate = values::estimate(tokens, "tokens")?;
        Ok(PyBudgetLease::new(self.0.reserve(estimate, args::ttl(ttl)?)?, None))
    }

    #[doc = stub!("AgentBudget.charge")]
    #[pyo3(signature = (tokens, calls = CallsArg(1)), text_signature = "($self, tokens, calls=1)")]
    fn charge(&self, tokens: &Bound<'_, PyAny>, calls: CallsArg) -> PyResult<()> {
        Ok(self.0.charge(args::amount(tokens, "tokens")?, calls.0)?)
    }

    #[doc = stub!("AgentBudget.track_call")]
    fn track_call(&self) -> PyResult<()> {
        Ok(self.0.track_call()?)
    }

    #[doc = stub!("AgentBudget.remaining")]
    fn remaining(&self) -> PyResult<PyBudgetInfo> {
        Ok(self.0.remaining()?.into())
    }

    fn __repr__(&self) -> String {
        format!("<AgentBudget {:?}>", self.0.agent_id())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("AgentBudget"))
    }
}
