//! `WorkflowQuota` and `WorkflowToken`.

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::budgets::{WorkflowOptions, WorkflowQuota, WorkflowToken};
use crate::py::args::{self, StepsArg};
use crate::py::store::{MadeOf, given, joined, made, name_or};

const HOUR: f64 = 3600.0;

#[doc = stub!("WorkflowQuota")]
#[pyclass(module = "outlay", name = "WorkflowQuota", frozen, weakref)]
pub(crate) struct PyWorkflowQuota(WorkflowQuota, MadeOf);

#[pymethods]
impl PyWorkflowQuota {
    #[new]
    #[pyo3(signature = (max_workflows, max_steps, period, *, clock = None, store = None,
        name = None))]
    fn new(
        py: Python<'_>,
        max_workflows: &Bound<'_, PyAny>,
        max_steps: &Bound<'_, PyAny>,
        period: &Bound<'_, PyAny>,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let workflows = args::amount(max_workflows, "max_workflows")?;
        let steps = args::amount(max_steps, "max_steps")?;
        let lasts = args::duration(period, "period")?;
        let unless = WorkflowOptions::default();
        let (kept, clock_of) = given(store, clock)?;
        let name_of = name_or(name, unless.name)?;
        let options = WorkflowOptions { clock: clock_of, store: kept.clone(), name: name_of };
        let quota = WorkflowQuota::with(workflows, steps, lasts, options)?;
        joined(py, kept.as_ref());
        let arguments = [max_workflows, max_steps, period];
        let keywords = [("clock", clock), ("store", store), ("name", name)];
        Ok(Self(quota, made(py, kept.as_ref(), None, &arguments, &keywords)?))
    }

    #[doc = stub!("WorkflowQuota.hourly")]
    #[classmethod]
    #[pyo3(signature = (max_workflows, max_steps, *, clock = None, store = None, name = None))]
    fn hourly(
        cls: &Bound<'_, PyType>,
        max_workflows: &Bound<'_, PyAny>,
        max_steps: &Bound<'_, PyAny>,
        clock: Option<&Bound<'_, PyAny>>,
        store: Option<&Bound<'_, PyAny>>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let hour = HOUR.into_pyobject(cls.py())?;
        Self::new(cls.py(), max_workflows, max_steps, hour.as_any(), clock, store, name)
    }

    #[doc = stub!("WorkflowQuota.begin_workflow")]
    #[pyo3(signature = (workflow_id, *, resume = false))]
    fn begin_workflow(
        &self,
        workflow_id: &Bound<'_, PyAny>,
        resume: bool,
    ) -> PyResult<PyWorkflowToken> {
        let id = args::id(workflow_id, "workflow_id")?;
        let token = self.0.begin_workflow(id.as_str(), resume)?;
        Ok(PyWorkflowToken(token))
    }

    #[doc = stub!("WorkflowQuota.end_workflow")]
    fn end_workflow(&self, workflow_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = args::id(workflow_id, "workflow_id")?;
        Ok(self.0.end_workflow(id.as_str())?)
    }

    #[doc = stub!("WorkflowQuota.get")]
    fn get(&self, workflow_id: &Bound<'_, PyAny>) -> PyResult<Option<PyWorkflowToken>> {
        let id = args::id(workflow_id, "workflow_id")?;
        Ok(self.0.get(id.as_str())?.map(PyWorkflowToken))
    }

    #[doc = stub!("WorkflowQuota.active_count")]
    fn active_count(&self) -> PyResult<usize> {
        Ok(self.0.active_count()?)
    }

    #[doc = stub!("WorkflowQuota.period_count")]
    fn period_count(&self) -> PyResult<u64> {
        Ok(self.0.period_count()?)
    }

    #[doc = stub!("WorkflowQuota.remaining")]
    fn remaining(&self) -> PyResult<u64> {
        Ok(self.0.remaining()?)
    }

    #[doc = stub!("WorkflowQuota.time_until_reset")]
    fn time_until_reset(&self) -> PyResult<f64> {
        Ok(self.0.time_until_reset()?.as_secs_f64())
    }

    #[doc = stub!("WorkflowQuota.reset")]
    fn reset(&self) -> PyResult<()> {
        Ok(self.0.reset()?)
    }

    #[doc = stub!("WorkflowQuota.max_workflows")]
    #[getter]
    fn max_workflows(&self) -> u64 {
        self.0.max_workflows()
    }

    #[doc = stub!("WorkflowQuota.max_steps")]
    #[getter]
    fn max_steps(&self) -> u64 {
        self.0.max_steps()
    }

    #[doc = stub!("WorkflowQuota.period")]
    #[getter]
    fn period(&self) -> f64 {
        self.0.period().as_secs_f64()
    }

    fn __repr__(&self) -> String {
        let (workflows, steps) = (self.0.max_workflows(), self.0.max_steps());
        let period = self.0.period().as_secs_f64();
        format!("<WorkflowQuota of {workflows} workflows of {steps} steps in {period} s>")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().1.reduced(slf)
    }
}

#[doc = stub!("WorkflowToken")]
#[pyclass(module = "outlay", name = "WorkflowToken", frozen, weakref)]
pub(crate) struct PyWorkflowToken(pub(crate) WorkflowToken);

#[pymethods]
impl PyWorkflowToken {
    #[doc = stub!("WorkflowToken.execute_step")]
    #[pyo3(signature = (n = StepsArg(1)), text_signature = "($self, n=1)")]
    fn execute_step(&self, n: StepsArg) -> PyResult<()> {
        Ok(self.0.execute_step(n.0)?)
    }

    #[doc = stub!("WorkflowToken.remaining_steps")]
    fn remaining_steps(&self) -> PyResult<u64> {
        Ok(self.0.remaining_steps()?)
    }

    #[doc = stub!("WorkflowToken.steps_executed")]
    fn steps_executed(&self) -> PyResult<u64> {
        Ok(self.0.steps_executed()?)
    }

    #[doc = stub!("WorkflowToken.duration")]
    fn duration(&self) -> PyResult<f64> {
        Ok(self.0.duration()?.as_secs_f64())
    }

    #[doc = stub!("WorkflowToken.can_continue")]
    fn can_continue(&self) -> PyResult<bool> {
        Ok(self.0.can_continue()?)
    }

    #[doc = stub!("WorkflowToken.id")]
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    #[doc = stub!("WorkflowToken.max_steps")]
    #[getter]
    fn max_steps(&self) -> u64 {
        self.0.max_steps()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        _exception: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        // It fails only in a forked child, and the workflow of the parent goes on.
        let _ = self.0.end();
        false
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self) -> usize {
        self.0.account().id().into()
    }

    fn __repr__(&self) -> String {
        format!("<WorkflowToken {:?} of {} steps>", self.0.id(), self.0.max_steps())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("WorkflowToken"))
    }
}
