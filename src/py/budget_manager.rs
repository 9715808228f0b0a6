//! `BudgetManager`, `AgentBudget` and what they report.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::amounts::or_none;
use super::convert::{self, CallsArg, OnErrorArg, UnsettledArg};
use super::lease::PyBudgetLease;
use crate::accounting::Invalid;
use crate::budgets::{AgentBudget, BudgetInfo, BudgetLimit, BudgetManager, FullBudgetInfo};

#[doc = stub!("BudgetLimit")]
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
        let id = convert::id(agent_id, "agent_id")?;
        let id = crate::accounting::Key::parse("agent_id", convert::utf8(&id, "agent_id")?)?;
        let window = window_secs.map(|window| convert::duration(window, "window_secs"));
        Ok(Self(BudgetLimit {
            agent_id: id.as_str().to_owned(),
            token_budget: convert::limit(token_budget, "token_budget")?,
            calls_budget: convert::limit(calls_budget, "calls_budget")?,
            window: window.transpose()?,
        }))
    }

    #[doc = stub!("BudgetLimit.agent_id")]
    #[getter]
    fn agent_id(&self) -> &str {
        &self.0.agent_id
    }

    #[doc = stub!("BudgetLimit.token_budget")]
    #[getter]
    const fn token_budget(&self) -> Option<u64> {
        self.0.token_budget
    }

    #[doc = stub!("BudgetLimit.calls_budget")]
    #[getter]
    const fn calls_budget(&self) -> Option<u64> {
        self.0.calls_budget
    }

    #[doc = stub!("BudgetLimit.window_secs")]
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
        // A float where it says it exactly, else a timedelta.
        let secs = self.window_secs();
        let exact = secs.and_then(|secs| std::time::Duration::try_from_secs_f64(secs).ok());
        if exact == self.0.window {
            keywords.set_item("window_secs", secs)?;
        } else {
            keywords.set_item("window_secs", self.0.window)?;
        }
        Ok(convert::new_args(py, keywords))
    }
}

#[doc = stub!("BudgetInfo")]
#[pyclass(module = "outlay", name = "BudgetInfo", frozen, eq, get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyBudgetInfo {
    #[doc = stub!("BudgetInfo.tokens_remaining")]
    tokens_remaining: Option<u64>,
    #[doc = stub!("BudgetInfo.calls_remaining")]
    calls_remaining: Option<u64>,
    #[doc = stub!("BudgetInfo.window_remaining_secs")]
    window_remaining_secs: Option<f64>,
    #[doc = stub!("BudgetInfo.is_exhausted")]
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
            tokens_remaining: convert::limit(tokens_remaining, "tokens_remaining")?,
            calls_remaining: convert::limit(calls_remaining, "calls_remaining")?,
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

#[doc = stub!("FullBudgetInfo")]
#[pyclass(module = "outlay", name = "FullBudgetInfo", frozen, eq, get_all)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyFullBudgetInfo {
    #[doc = stub!("FullBudgetInfo.agent_id")]
    agent_id: String,
    #[doc = stub!("FullBudgetInfo.token_limit")]
    token_limit: Option<u64>,
    #[doc = stub!("FullBudgetInfo.tokens_used")]
    tokens_used: u64,
    #[doc = stub!("FullBudgetInfo.tokens_remaining")]
    tokens_remaining: Option<u64>,
    #[doc = stub!("FullBudgetInfo.calls_limit")]
    calls_limit: Option<u64>,
    #[doc = stub!("FullBudgetInfo.calls_used")]
    calls_used: u64,
    #[doc = stub!("FullBudgetInfo.calls_remaining")]
    calls_remaining: Option<u64>,
    #[doc = stub!("FullBudgetInfo.window_secs")]
    window_secs: Option<f64>,
    #[doc = stub!("FullBudgetInfo.window_remaining_secs")]
    window_remaining_secs: Option<f64>,
    #[doc = stub!("FullBudgetInfo.is_exhausted")]
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
            token_limit: convert::limit(token_limit, "token_limit")?,
            tokens_used: convert::amount(tokens_used, "tokens_used")?,
            tokens_remaining: convert::limit(tokens_remaining, "tokens_remaining")?,
            calls_limit: convert::limit(calls_limit, "calls_limit")?,
            calls_used: convert::amount(calls_used, "calls_used")?,
            calls_remaining: convert::limit(calls_remaining, "calls_remaining")?,
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

#[doc = stub!("BudgetManager")]
#[pyclass(module = "outlay", name = "BudgetManager", frozen, weakref)]
pub(crate) struct PyBudgetManager(BudgetManager);

#[pymethods]
impl PyBudgetManager {
    #[new]
    #[pyo3(signature = (*, lease_ttl = None, unsettled = UnsettledArg::CHARGE, on_error = OnErrorArg::RELEASE,
        clock = None),
        text_signature = "(*, lease_ttl=None, unsettled='charge', on_error='release', clock=None)")]
    fn new(
        lease_ttl: Option<&Bound<'_, PyAny>>,
        unsettled: UnsettledArg,
        on_error: OnErrorArg,
        clock: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let policy = convert::policy(lease_ttl, &unsettled, &on_error)?;
        Ok(Self(BudgetManager::new(convert::clock(clock)?, policy)))
    }

    #[doc = stub!("BudgetManager.set_budget")]
    fn set_budget(&self, limit: &Bound<'_, PyAny>) -> PyResult<()> {
        let limit = limit.cast::<PyBudgetLimit>().map_err(|_| {
            let allowed = format!("a BudgetLimit, not {}", convert::type_name(limit));
            PyErr::from(Invalid::policy("limit", &allowed))
        })?;
        Ok(self.0.set_budget(&limit.get().0)?)
    }

    #[doc = stub!("BudgetManager.remove_budget")]
    fn remove_budget(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.remove_budget(convert::utf8(&id, "agent_id")?)?)
    }

    #[doc = stub!("BudgetManager.reserve")]
    fn reserve(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = convert::id(agent_id, "agent_id")?;
        let tokens = convert::amount(tokens, "tokens")?;
        Ok(self.0.reserve(convert::utf8(&id, "agent_id")?, tokens)?)
    }

    #[doc = stub!("BudgetManager.release")]
    fn release(&self, agent_id: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = convert::id(agent_id, "agent_id")?;
        let tokens = convert::amount(tokens, "tokens")?;
        Ok(self.0.release(convert::utf8(&id, "agent_id")?, tokens)?)
    }

    #[doc = stub!("BudgetManager.track_call")]
    fn track_call(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.track_call(convert::utf8(&id, "agent_id")?)?)
    }

    #[doc = stub!("BudgetManager.remaining")]
    fn remaining(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyBudgetInfo> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.remaining(convert::utf8(&id, "agent_id")?)?.into())
    }

    #[doc = stub!("BudgetManager.can_schedule")]
    fn can_schedule(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.can_schedule(convert::utf8(&id, "agent_id")?)?)
    }

    #[doc = stub!("BudgetManager.reset_window")]
    fn reset_window(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.reset_window(convert::utf8(&id, "agent_id")?)?)
    }

    #[doc = stub!("BudgetManager.full_info")]
    fn full_info(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<Option<PyFullBudgetInfo>> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(self.0.full_info(convert::utf8(&id, "agent_id")?)?.map(Into::into))
    }

    #[doc = stub!("BudgetManager.all_full_info")]
    fn all_full_info(&self) -> PyResult<Vec<PyFullBudgetInfo>> {
        Ok(self.0.all_full_info()?.into_iter().map(Into::into).collect())
    }

    #[doc = stub!("BudgetManager.agent")]
    fn agent(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<PyAgentBudget> {
        let id = convert::id(agent_id, "agent_id")?;
        Ok(PyAgentBudget(self.0.agent(convert::utf8(&id, "agent_id")?)?))
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

    fn __reduce__(&self) -> PyResult<()> {
        Err(convert::no_copies("BudgetManager"))
    }
}

#[doc = stub!("AgentBudget")]
#[pyclass(module = "outlay", name = "AgentBudget", frozen, weakref)]
pub(crate) struct PyAgentBudget(pub(super) AgentBudget);

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
        let estimate = convert::estimate(tokens, "tokens")?;
        Ok(PyBudgetLease::new(self.0.reserve(estimate, convert::ttl(ttl)?)?, None))
    }

    #[doc = stub!("AgentBudget.charge")]
    #[pyo3(signature = (tokens, calls = CallsArg(1)), text_signature = "($self, tokens, calls=1)")]
    fn charge(&self, tokens: &Bound<'_, PyAny>, calls: CallsArg) -> PyResult<()> {
        Ok(self.0.charge(convert::amount(tokens, "tokens")?, calls.0)?)
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
        Err(convert::no_copies("AgentBudget"))
    }
}
