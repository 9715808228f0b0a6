//! `Denial`: the numbers of a refusal in an exception. Its texts are made when they are read.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::accounting::{Cause, Code, Denied, Invalid, Key, Kind, Show, Subject, Unit, nanos};
use crate::py::args;

#[doc = stub!("Denial")]
#[pyclass(module = "outlay._core", name = "Denial", frozen, eq, hash)]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PyDenial(pub(crate) Box<Denied>);

#[pymethods]
impl PyDenial {
    #[new]
    #[pyo3(signature = (error, kind, *, id = None, limit = Whole(0), used = Whole(0),
        reserved = Whole(0), requested = Whole(0), remaining = Whole(0), retry_after = None,
        resets_in = None, period = None, reason = None, scope = None),
        text_signature = "(error, kind, *, id=None, limit=0, used=0, reserved=0, requested=0, \
        remaining=0, retry_after=None, resets_in=None, period=None, reason=None, scope=None)")]
    #[expect(clippy::too_many_arguments, reason = "the fields of a refusal")]
    fn new(
        error: &str,
        kind: &str,
        id: Option<&Bound<'_, PyAny>>,
        limit: Whole,
        used: Whole,
        reserved: Whole,
        requested: Whole,
        remaining: Whole,
        retry_after: Option<&Bound<'_, PyAny>>,
        resets_in: Option<&Bound<'_, PyAny>>,
        period: Option<&Bound<'_, PyAny>>,
        reason: Option<String>,
        scope: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (code, kind) = named(error, kind)?;
        let id = id.map(|id| args::id(id, "id")).transpose()?;
        let id = id.map(|id| Key::parse("id", id.as_str()).map_err(PyErr::from));
        let scope = scope.map(|scope| scope.iter().map(pair).collect()).transpose()?;
        Ok(Self(Box::new(Denied {
            code,
            kind,
            unit: kind.unit(code),
            id: id.transpose()?,
            limit: limit.0,
            used: used.0,
            reserved: reserved.0,
            requested: requested.0,
            remaining: remaining.0,
            cause: Cause::default(),
            retry_after: wait(retry_after, "retry_after")?,
            resets_in: wait(resets_in, "resets_in")?,
            period: wait(period, "period")?,
            reason,
            subject: None,
            remark: None,
            scope: scope.unwrap_or_default(),
            show: Show::default(),
            shared: false,
        })))
    }

    #[doc = stub!("Denial.error")]
    #[getter]
    fn error(&self) -> &'static str {
        self.0.code.name()
    }

    #[doc = stub!("Denial.kind")]
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.name()
    }

    #[doc = stub!("Denial.message")]
    #[getter]
    fn message(&self) -> String {
        self.0.message()
    }

    #[doc = stub!("Denial.id")]
    #[getter]
    fn id(&self) -> Option<&str> {
        self.0.id.as_ref().map(Key::as_str)
    }

    #[doc = stub!("Denial.limit")]
    #[getter]
    fn limit(&self) -> u64 {
        self.0.limit
    }

    #[doc = stub!("Denial.used")]
    #[getter]
    fn used(&self) -> u64 {
        self.0.used
    }

    #[doc = stub!("Denial.reserved")]
    #[getter]
    fn reserved(&self) -> u64 {
        self.0.reserved
    }

    #[doc = stub!("Denial.requested")]
    #[getter]
    fn requested(&self) -> u64 {
        self.0.requested
    }

    #[doc = stub!("Denial.remaining")]
    #[getter]
    fn remaining(&self) -> u64 {
        self.0.remaining
    }

    #[doc = stub!("Denial.retry_after")]
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.0.retry_after.map(args::seconds_up)
    }

    #[doc = stub!("Denial.resets_in")]
    #[getter]
    fn resets_in(&self) -> Option<f64> {
        self.0.resets_in.map(args::seconds_up)
    }

    #[doc = stub!("Denial.retryable")]
    #[getter]
    fn retryable(&self) -> bool {
        self.0.retryable()
    }

    #[doc = stub!("Denial.suggestion")]
    #[getter]
    fn suggestion(&self) -> &'static str {
        self.0.suggestion()
    }

    #[doc = stub!("Denial.scope")]
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

    #[doc = stub!("Denial.to_json")]
    fn to_json(&self) -> String {
        self.0.to_llm_message()
    }

    #[doc = stub!("Denial.note")]
    fn note(&self) -> String {
        self.0.note()
    }

    fn __repr__(&self) -> String {
        format!("Denial({})", self.0.to_llm_message())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let restore = py.import("outlay._core")?.getattr("restore_denial")?;
        let denied = &slf.get().0;
        let names = (denied.code.name(), denied.kind.name(), denied.unit.name());
        let names = (names, denied.id.as_ref().map(Key::as_str));
        let numbers =
            (denied.limit, denied.used, denied.reserved, denied.requested, denied.remaining);
        let times =
            [denied.retry_after, denied.resets_in, denied.period].map(|time| time.map(nanos));
        let subject = denied.subject.as_ref().map(|subject| (subject.kind(), subject.name()));
        let sentence = (denied.reason.as_ref(), subject, denied.remark.as_ref());
        let texts = (sentence, &denied.scope, denied.cause.name());
        let shown = (denied.show.name(), denied.shared);
        (restore, (names, numbers, times, texts, shown)).into_pyobject(py)
    }
}

type NameFields<'a> = ((&'a str, &'a str, &'a str), Option<String>);
type SentenceFields<'a> = (Option<String>, Option<(&'a str, String)>, Option<String>);
type TextFields<'a> = (SentenceFields<'a>, Vec<(String, String)>, &'a str);

#[doc = stub!("restore_denial")]
#[pyfunction]
pub(crate) fn restore_denial(
    names: NameFields<'_>,
    numbers: [u64; 5],
    times: [Option<u64>; 3],
    texts: TextFields<'_>,
    shown: (&str, bool),
) -> PyResult<PyDenial> {
    let ((error, kind, unit), id) = names;
    let (code, kind) = named(error, kind)?;
    let unit = Unit::parse(unit).ok_or_else(|| unknown("unit", &Unit::ALL.map(Unit::name)))?;
    let id = id.map(|id| Key::parse("id", &id)).transpose()?;
    let [limit, used, reserved, requested, remaining] = numbers;
    let [retry_after, resets_in, period] = times.map(|time| time.map(Duration::from_nanos));
    let ((reason, subject, remark), scope, cause) = texts;
    let subject = subject.and_then(|(kind, name)| Subject::parse(kind, name));
    let (show, shared) = shown;
    let show = Show::parse(show).ok_or_else(|| unknown("show", &Show::ALL.map(Show::name)))?;
    let cause = Cause::parse(cause);
    let cause = cause.ok_or_else(|| unknown("cause", &Cause::ALL.map(Cause::name)))?;
    Ok(PyDenial(Box::new(Denied {
        code,
        kind,
        unit,
        id,
        limit,
        used,
        reserved,
        requested,
        remaining,
        cause,
        retry_after,
        resets_in,
        period,
        reason,
        subject,
        remark,
        scope,
        show,
        shared,
    })))
}

/// A whole number in a `Denial`.
struct Whole(u64);

impl<'py> FromPyObject<'_, 'py> for Whole {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        args::amount(&given, "limit, used, reserved, requested and remaining").map(Self)
    }
}

fn wait(value: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    let allowed = "a time in seconds (int or float) or a timedelta, not negative, or None";
    let wait = args::elapsed(value).ok_or_else(|| Invalid::policy(argument, allowed))?;
    Ok(Some(wait))
}

/// The code and the kind with those names.
fn named(error: &str, kind: &str) -> PyResult<(Code, Kind)> {
    let code = Code::parse(error).ok_or_else(|| unknown("error", &Code::ALL.map(Code::name)))?;
    let kind = Kind::parse(kind).ok_or_else(|| unknown("kind", &Kind::ALL.map(Kind::name)))?;
    Ok((code, kind))
}

fn unknown(argument: &str, allowed: &[&str]) -> PyErr {
    Invalid::policy(argument, &format!("one of {}", allowed.join(", "))).into()
}

fn pair((name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)) -> PyResult<(String, String)> {
    Ok((name.extract()?, value.extract()?))
}
