//! `Denial`: what an exception carries; its texts are made when they are read.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::convert;
use crate::accounting::{Code, Denied, Invalid, Key, Kind};

/// The numbers of a refusal, behind every `LimitExceeded`.
#[pyclass(module = "outlay._core", name = "Denial", frozen, eq)]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PyDenial(pub(super) Box<Denied>);

#[pymethods]
impl PyDenial {
    #[new]
    #[pyo3(signature = (error, kind, *, id = None, limit = 0, used = 0, reserved = 0,
        requested = 0, remaining = 0, retry_after = None, resets_in = None, period = None,
        reason = None, scope = None))]
    #[expect(clippy::too_many_arguments, reason = "the fields of a refusal")]
    fn new(
        error: &str,
        kind: &str,
        id: Option<&Bound<'_, PyAny>>,
        limit: u64,
        used: u64,
        reserved: u64,
        requested: u64,
        remaining: u64,
        retry_after: Option<Duration>,
        resets_in: Option<Duration>,
        period: Option<Duration>,
        reason: Option<String>,
        scope: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let code =
            Code::parse(error).ok_or_else(|| unknown("error", &Code::ALL.map(Code::name)))?;
        let kind = Kind::parse(kind).ok_or_else(|| unknown("kind", &Kind::ALL.map(Kind::name)))?;
        let id = id.map(|id| convert::id(id, "id")).transpose()?;
        let id = id.map(|id| Key::parse("id", convert::utf8(&id, "id")?).map_err(PyErr::from));
        let scope = scope.map(|scope| scope.iter().map(pair).collect()).transpose()?;
        Ok(Self(Box::new(Denied {
            code,
            kind,
            id: id.transpose()?,
            limit,
            used,
            reserved,
            requested,
            remaining,
            retry_after,
            resets_in,
            period,
            reason,
            scope: scope.unwrap_or_default(),
        })))
    }

    #[getter]
    fn error(&self) -> &'static str {
        self.0.code.name()
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
    }

    #[getter]
    fn message(&self) -> String {
        self.0.message()
    }

    #[getter]
    fn id(&self) -> Option<&str> {
        self.0.id.as_ref().map(Key::as_str)
    }

    #[getter]
    fn limit(&self) -> u64 {
        self.0.limit
    }

    #[getter]
    fn used(&self) -> u64 {
        self.0.used
    }

    #[getter]
    fn reserved(&self) -> u64 {
        self.0.reserved
    }

    #[getter]
    fn requested(&self) -> u64 {
        self.0.requested
    }

    #[getter]
    fn remaining(&self) -> u64 {
        self.0.remaining
    }

    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.0.retry_after.map(|wait| wait.as_secs_f64())
    }

    #[getter]
    fn resets_in(&self) -> Option<f64> {
        self.0.resets_in.map(|wait| wait.as_secs_f64())
    }

    #[getter]
    fn retryable(&self) -> bool {
        self.0.retryable()
    }

    #[getter]
    fn suggestion(&self) -> &'static str {
        self.0.suggestion()
    }

    #[getter]
    fn scope<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let scope = PyDict::new(py);
        if let Some(id) = &self.0.id {
            scope.set_item(self.0.id_name(), id.as_str())?;
        }
        for (name, value) in &self.0.scope {
            scope.set_item(name, value)?;
        }
        Ok(scope)
    }

    fn to_json(&self) -> String {
        self.0.to_llm_message()
    }

    fn __repr__(&self) -> String {
        format!("Denial({})", self.0.to_llm_message())
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let denied = &self.0;
        let keywords = PyDict::new(py);
        keywords.set_item("id", denied.id.as_ref().map(Key::as_str))?;
        let numbers = [
            ("limit", denied.limit),
            ("used", denied.used),
            ("reserved", denied.reserved),
            ("requested", denied.requested),
            ("remaining", denied.remaining),
        ];
        for (name, number) in numbers {
            keywords.set_item(name, number)?;
        }
        keywords.set_item("retry_after", denied.retry_after)?;
        keywords.set_item("resets_in", denied.resets_in)?;
        keywords.set_item("period", denied.period)?;
        keywords.set_item("reason", denied.reason.as_ref())?;
        let scope = PyDict::new(py);
        for (name, value) in &denied.scope {
            scope.set_item(name, value)?;
        }
        keywords.set_item("scope", scope)?;
        Ok(((denied.code.name(), denied.kind.name()).into_pyobject(py)?, keywords))
    }
}

fn unknown(argument: &str, allowed: &[&str]) -> PyErr {
    Invalid::policy(argument, &format!("one of {}", allowed.join(", "))).into()
}

fn pair((name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<(String, String)> {
    Ok((name.extract()?, value.extract()?))
}
