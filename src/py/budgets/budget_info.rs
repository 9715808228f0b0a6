//! `BudgetLimit`, `BudgetInfo` and `FullBudgetInfo`: the settings and reports of a `BudgetManager`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::accounting::Key;
use crate::budgets::{BudgetInfo, BudgetLimit, FullBudgetInfo};
use crate::py::args;
use crate::py::values::or_none;

#[doc = stub!("BudgetLimit")]
#[pyclass(module = "outlay", name = "BudgetLimit", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PyBudgetLimit(pub(super) BudgetLimit);

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
