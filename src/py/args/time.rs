//! Reads times: seconds or a `datetime.timedelta`.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyFloat, PyInt};

use super::amount::index;
use super::shown::{number, shown};
use crate::accounting::{Invalid, LONGEST};

/// Reads seconds (int, float) or a `datetime.timedelta`: more than 0, at most a hundred years.
pub(crate) fn duration(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Duration> {
    let bad = || -> PyErr {
        let allowed = "seconds (int or float) or a timedelta, more than 0 and at most 100 years";
        Invalid::policy(argument, &format!("{allowed}, not {}", shown(value))).into()
    };
    let duration = elapsed(value).ok_or_else(bad)?;
    if duration.is_zero() || duration > LONGEST { Err(bad()) } else { Ok(duration) }
}

/// The same, but 0 and `None` mean no duration.
pub(crate) fn duration_or_none(
    value: Option<&Bound<'_, PyAny>>,
    argument: &str,
) -> PyResult<Duration> {
    match value {
        Some(value) if elapsed(value) != Some(Duration::ZERO) => duration(value, argument),
        _ => Ok(Duration::ZERO),
    }
}

/// Reads seconds (int, float) or a `datetime.timedelta` that is not negative. `None` for anything
/// else.
pub(crate) fn elapsed(value: &Bound<'_, PyAny>) -> Option<Duration> {
    if let Ok(delta) = value.cast::<PyDelta>() {
        return delta.extract().ok();
    }
    if value.is_instance_of::<PyBool>() {
        return None;
    }
    if value.is_instance_of::<PyInt>() || !value.is_instance_of::<PyFloat>() {
        // Whole seconds stay exact; numpy integers count as ints.
        let whole = index(value).and_then(|index| index.extract::<u64>());
        if let Ok(seconds) = whole {
            return Some(Duration::from_secs(seconds));
        }
    }
    let seconds = number(value).filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// An optional time to live.
pub(crate) fn ttl(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    value.map(|value| duration(value, "ttl")).transpose()
}

/// Reads a timeout: not negative, at most a hundred years. `None` means no timeout.
pub(crate) fn timeout(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    let timeout = elapsed(value).filter(|timeout| *timeout <= LONGEST);
    timeout.map(Some).ok_or_else(|| {
        let allowed = "seconds (int or float) or a timedelta, from 0 to 100 years, or None";
        Invalid::policy("timeout", &format!("{allowed}, not {}", shown(value))).into()
    })
}

/// Seconds as a float, rounded up so that they are never too early.
pub(crate) fn seconds_up(wait: Duration) -> f64 {
    let seconds = wait.as_secs_f64();
    let early = Duration::try_from_secs_f64(seconds).is_ok_and(|rounded| rounded < wait);
    if early { seconds.next_up() } else { seconds }
}
