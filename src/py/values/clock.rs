//! `SystemClock` and `ManualClock`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDateTime, PyDelta, PyTzInfo};

use crate::accounting::{Clock, Invalid, ManualClock};
use crate::py::args;

#[doc = stub!("SystemClock")]
#[pyclass(module = "outlay", name = "SystemClock", frozen)]
pub(crate) struct PySystemClock;

#[pymethods]
impl PySystemClock {
    #[new]
    const fn new() -> Self {
        Self
    }

    fn __repr__(&self) -> &'static str {
        "SystemClock()"
    }
}

#[doc = stub!("ManualClock")]
#[pyclass(module = "outlay", name = "ManualClock", frozen)]
pub(crate) struct PyManualClock(Arc<ManualClock>);

impl PyManualClock {
    pub(crate) fn clock(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.0))
    }
}

#[pymethods]
impl PyManualClock {
    #[new]
    fn new() -> Self {
        Self(Arc::new(ManualClock::new()))
    }

    #[doc = stub!("ManualClock.advance")]
    fn advance(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let step = args::elapsed(seconds).ok_or_else(|| {
            let allowed = "a time in seconds (int or float) or a timedelta, not negative";
            PyErr::from(Invalid::policy("seconds", allowed))
        })?;
        self.0.advance(step);
        Ok(())
    }

    #[doc = stub!("ManualClock.set_time")]
    fn set_time(&self, time: &Bound<'_, PyDateTime>) -> PyResult<()> {
        let py = time.py();
        let aware = if time.getattr("tzinfo")?.is_none() {
            let utc = [("tzinfo", PyTzInfo::utc(py)?)].into_py_dict(py)?;
            time.call_method("replace", (), Some(&utc))?
        } else {
            time.clone().into_any()
        };
        let epoch = PyDateTime::from_timestamp(py, 0.0, Some(&*PyTzInfo::utc(py)?))?;
        let since = aware.call_method1("__sub__", (epoch,))?;
        let microsecond = PyDelta::new(py, 0, 0, 1, false)?;
        let micros = since.call_method1("__floordiv__", (microsecond,))?;
        let nanos = micros.extract::<i64>().ok().and_then(|micros| micros.checked_mul(1000));
        let Some(nanos) = nanos else {
            let allowed = "a datetime between the years 1678 and 2262";
            return Err(Invalid::policy("time", allowed).into());
        };
        self.0.set_wall(nanos);
        Ok(())
    }

    fn __repr__(&self) -> &'static str {
        "ManualClock()"
    }
}

/// Reads a clock: `SystemClock`, `ManualClock`, or `None` for the system clock.
pub(crate) fn clock(value: Option<&Bound<'_, PyAny>>) -> PyResult<Clock> {
    let Some(value) = value else {
        return Ok(Clock::System);
    };
    if let Ok(manual) = value.cast::<PyManualClock>() {
        return Ok(manual.get().clock());
    }
    if value.is_instance_of::<PySystemClock>() {
        return Ok(Clock::System);
    }
    let allowed = format!("SystemClock() or ManualClock(), not {}", args::type_name(value));
    Err(Invalid::policy("clock", &allowed).into())
}
