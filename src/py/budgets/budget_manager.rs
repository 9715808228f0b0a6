//! `BudgetManager`, `AgentBudget` and what they report.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::accounting::{Invalid, Key};
use crate::budgets::{AgentBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo};
use crate::py::args::{self, CallsArg, OnErrorArg, UnsettledArg};
use crate::py::lease::PyBudgetLease;
use crate::py::values::{self, or_none};

/// The budget of one agent.
#[pyclass(module = "outlay", name = "BudgetLimit", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PyBudgetLimit(BudgetLimit);

#[pymethods]
impl PyBudgetLimit {
    #[new]
    #[pyo3(signature = (*, agent_id, token_budget, calls_budget, window_secs))]
    fn new(
        agent_id: &Bound<'_, PyAny>,
        token_budget: Option<&Bound<'_, PyAny>>,
        calls_budget: Option<&Bound<'_, PyAny>>,
        window_secs: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let id = args::id(agent_id, "agent_id")?;
        let id = Key::parse("agent_id", id.as_str())?;
        let window = window_secs.map(|window| args::duration(window, "window_secs"));
        Ok(Self(BudgetLimit {
            agent_id: id.as_str().to_owned(),
            token_budget: args::limit(token_budget, "token_budget")?,
            calls_budget: args::limit(calls_budget, "calls_budget")?,
            window: window.transpose()?,
        }))
    }

    #[getter]
    fn agent_id(&self) -> &str {
        &self.0.agent_id
    }

    #[getter]
    const fn token_budget(&self) -> Option<u64> {
        self.0.token_budget
    }

    #[getter]
    const fn calls_budget(&self) -> Option<u64> {
        self.0.calls_budget
    }

    #[getter]
    fn window_secs(&self) -> Option<f64> {
        self.0.window.map(|window| window.as_secs_f64())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let [tokens, calls] = [self.0.token_budget, self.0.calls_budget].map(or_none);
        let id = self.agent_id().into_pyobject(py)?.repr()?;
        let window = or_none(self.window_secs().map(|secs| format!("{secs:?}")));
        Ok(format!(
            "BudgetLimit(agent_id={id}, token_budget={tokens}, calls_budget={calls}, \
             window_secs={window})"
        ))
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.0.agent_id, self.0.token_budget, self.0.calls_budget, self.0.window)
            .hash(&mut hasher);
        hasher.finish()
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let keywords = PyDict::new(py);
        keywords.set_item("agent_id", self.agent_id())?;
        keywords.set_item("token_budget", self.0.token_budget)?;
        keywords.set_item("calls_budget", self.0.calls_budget)?;
        // A float if it is exact, else a timedelta.
        let secs = self.window_secs();
        let exact = secs.and_then(|secs| std::time::Duration::try_from_secs_f64(secs).ok());
        if exact == self.0.window {
            keywords.set_item("window_secs", secs)?;
        } else {
            keywords.set_item("window_secs", self.0.window)?;
        }
        Ok(args::new_args(py, keywords))
    }
}

/// What an agent has left.
#[pyclass(module = "outlay", name = "BudgetInfo", frozen, eq, get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyBudgetInfo {
    tokens_remaining: Option<u64>,
    calls_remaining: Option<u64>,
    window_remaining_secs: Option<f64>,
    is_exhausted: bool,
}

impl From<BudgetInfo> for PyBudgetInfo {
    fn from(info: BudgetInfo) -> Self {
        Self {
            tokens_remaining: info.tokens_remaining,
            calls_remaining: info.calls_remaining,
            window_remaining_secs: info.window_remaining.map(|left| left.as_secs_f64()),
            is_exhausted: info.is_exhausted,
        }
    }
}

#[pymethods]
impl PyBudgetInfo {
    #[new]
    fn new(
        tokens_remaining: Option<&Bound<'_, PyAny>>,
        calls_remaining: Option<&Bound<'_, PyAny>>,
        window_remaining_secs: Option<f64>,
        is_exhausted: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            tokens_remaining: args::limit(tokens_remaining, "tokens_remaining")?,
            calls_remaining: args::limit(calls_remaining, "calls_remaining")?,
            window_remaining_secs,
            is_exhausted,
        })
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.__getnewargs__().into_pyobject(py)?.hash()
    }

    fn __repr__(&self) -> String {
        let [tokens, calls] = [self.tokens_remaining, self.calls_remaining].map(or_none);
        let window = or_none(self.window_remaining_secs.map(|secs| format!("{secs:?}")));
        let exhausted = if self.is_exhausted { "True" } else { "False" };
        format!(
            "BudgetInfo(tokens_remaining={tokens}, calls_remaining={calls}, \
             window_remaining_secs={window}, is_exhausted={exhausted})"
        )
    }

    const fn __getnewargs__(&self) -> (Option<u64>, Option<u64>, Option<f64>, bool) {
        (self.tokens_remaining, self.calls_remaining, self.window_remaining_secs, self.is_exhausted)
    }
}

/// All about an agent's budget.
#[pyclass(module = "outlay", name = "FullBudgetInfo", frozen, eq, get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyFullBudgetInfo {
    agent_id: String,
    token_limit: Option<u64>,
    tokens_used: u64,
    tokens_remaining: Option<u64>,
    calls_limit: Option<u64>,
    calls_used: u64,
    calls_remaining: Option<u64>,
    window_secs: Option<f64>,
    window_remaining_secs: Option<f64>,
    is_exhausted: bool,
}

impl From<FullBudgetInfo> for PyFullBudgetInfo {
    fn from(full: FullBudgetInfo) -> Self {
        Self {
            agent_id: full.limit.agent_id,
            token_limit: full.limit.token_budget,
            tokens_used: full.tokens_used,
            tokens_remaining: full.info.tokens_remaining,
            calls_limit: full.limit.calls_budget,
            calls_used: full.calls_used,
            calls_remaining: full.info.calls_remaining,
            window_secs: full.limit.window.map(|window| window.as_secs_f64()),
            window_remaining_secs: full.info.window_remaining.map(|left| left.as_secs_f64()),
            is_exhausted: full.info.is_exhausted,
        }
    }
}

#[pymethods]
impl PyFullBudgetInfo {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the fields of the report")]
    fn new(
        agent_id: String,
        token_limit: Option<&Bound<'_, PyAny>>,
        tokens_used: &Bound<'_, PyAny>,
        tokens_remaining: Option<&Bound<'_, PyAny>>,
        calls_limit: Option<&Bound<'_, PyAny>>,
        calls_used: &Bound<'_, PyAny>,
        calls_remaining: Option<&Bound<'_, PyAny>>,
        window_secs: Option<f64>,
        window_remaining_secs: Option<f64>,
        is_exhausted: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            agent_id,
            token_limit: args::limit(token_limit, "token_limit")?,
            tokens_used: args::amount(tokens_used, "tokens_used")?,
            tokens_remaining: args::limit(tokens_remaining, "tokens_remaining")?,
            calls_limit: args::limit(calls_limit, "calls_limit")?,
            calls_used: args::amount(calls_used, "calls_used")?,
            calls_remaining: args::limit(calls_remaining, "calls_remaining")?,
            window_secs,
            window_remaining_secs,
            is_exhausted,
        })
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        Self::__getnewargs__(slf)?.hash()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let fields = Self::fields(slf)?;
        let text =
            |(name, value): (&str, Bound<'_, PyAny>)| Ok(format!("{name}={}", value.repr()?));
        let texts = fields.into_iter().map(text).collect::<PyResult<Vec<_>>>()?;
        Ok(format!("FullBudgetInfo({})", texts.join(", ")))
    }

    fn __getnewargs__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(slf.py(), Self::fields(slf)?.into_iter().map(|(_, value)| value))
    }
}

impl PyFullBudgetInfo {
    fn fields<'py>(slf: &Bound<'py, Self>) -> PyResult<Vec<(&'static str, Bound<'py, PyAny>)>> {
        let names = [
            "agent_id",
            "token_limit",
            "tokens_used",
            "tokens_remaining",
            "calls_limit",
            "calls_used",
            "calls_remaining",
            "window_secs",
            "window_remaining_secs",
            "is_exhausted",
        ];
        names.into_iter().map(|name| Ok((name, slf.getattr(name)?))).collect()
    }
}

/// Token and call budgets by agent.
#[pyclass(module = "outlay", name = "BudgetManager", frozen, weakref)]
pub(crate) struct PyBudgetManager(BudgetManager);

#[pymethods]
impl PyBudgetManager {
    #[new]
    #[pyo3(signature = (*, lease_ttl = None, unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE,
        clock = None))]
    fn new(
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let policy = args::policy(lease_ttl, &unsettled, &on_error)?;
        Ok(Self(BudgetManager::new(values::clock(clock)?, policy)))
    }

    fn set_budget(&self, limit: &Bound<'_, PyAny>) -> PyResult<()> {
        let limit = limit.cast::<PyBudgetLimit>().map_err(|_| {
            let allowed = format!("a BudgetLimit, not {}", args::type_name(limit));
            PyErr::from(Invalid::policy("limit", &allowed))
        })?;
        Ok(self.0.set_budget(&limit.get().0)?)
    }

    fn remove_budget(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.remove_budget(id.as_str())?)
    }

    fn reserve(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        let tokens = args::amount(tokens, "tokens")?;
        Ok(self.0.reserve(id.as_str(), tokens)?)
    }

    fn release(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        let tokens = args::amount(tokens, "tokens")?;
        Ok(self.0.release(id.as_str(), tokens)?)
    }

    fn track_call(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.track_call(id.as_str())?)
    }

    fn remaining(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyBudgetInfo> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.remaining(id.as_str())?.into())
    }

    fn can_schedule(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.can_schedule(id.as_str())?)
    }

    fn reset_window(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.reset_window(id.as_str())?)
    }

    fn full_info(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<Option<PyFullBudgetInfo>> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(self.0.full_info(id.as_str())?.map(Into::into))
    }

    fn all_full_info(&self) -> PyResult<Vec<PyFullBudgetInfo>> {
        Ok(self.0.all_full_info()?.into_iter().map(Into::into).collect())
    }

    fn agent(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyAgentBudget> {
        let id = args::id(agent_id, "agent_id")?;
        Ok(PyAgentBudget(self.0.agent(id.as_str())?))
    }

    fn persist(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        Ok(py.detach(|| self.0.persist(&path))?)
    }

    fn restore(&self, py: Python<'_>, path: PathBuf) -> PyResult<bool> {
        Ok(py.detach(|| self.0.restore(&path))?)
    }

    fn __repr__(&self) -> &'static str {
        "<BudgetManager>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("BudgetManager"))
    }
}

/// A handle for one agent of a manager.
#[pyclass(module = "outlay", name = "AgentBudget", frozen, weakref)]
pub(crate) struct PyAgentBudget(pub(crate) AgentBudget);

#[pymethods]
impl PyAgentBudget {
    #[getter]
    fn agent_id(&self) -> &str {
        self.0.agent_id()
    }

    #[pyo3(signature = (tokens, *, ttl = None))]
    fn reserve(
        &self,
        tokens: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyBudgetLease> {
        let estimate = values::estimate(tokens, "tokens")?;
        Ok(PyBudgetLease::new(self.0.reserve(estimate, args::ttl(ttl)?)?, None))
    }

    #[pyo3(signature = (tokens, calls = CallsArg(1)), text_signature = "($self, tokens, calls=1)")]
    fn charge(&self, tokens: &Bound<'_, PyAny>, calls: CallsArg) -> PyResult<()> {
        Ok(self.0.charge(args::amount(tokens, "tokens")?, calls.0)?)
    }

    fn track_call(&self) -> PyResult<()> {
        Ok(self.0.track_call()?)
    }

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
