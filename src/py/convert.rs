//! What users pass, as the core's types; what is bad is named.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyFloat, PyInt, PyString, PyTuple};

use super::amounts::{PyUsage, PyUsageEstimate};
use super::clock::{PyManualClock, PySystemClock};
use crate::accounting::clock::LONGEST;
use crate::accounting::{Clock, Invalid, Usage};
use crate::ledger::{OnError, Policy, Unsettled};

const WHOLE: &str = "a whole number from 0 to 2**64 - 1";

/// A whole number: int or what counts as one (numpy integers), no bool, no float.
#[inline]
pub(super) fn amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    if value.is_exact_instance_of::<PyInt>()
        && let Ok(amount) = value.extract::<u64>()
    {
        return Ok(amount);
    }
    odd_amount(value, argument)
}

#[cold]
fn odd_amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        let given = match value.extract::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) => "an int that is outside".to_owned(),
        };
        return value
            .extract::<u64>()
            .map_err(|_| Invalid::amount(argument, &format!("{WHOLE}, not {given}")).into());
    }
    let whole = match value.call_method0("__index__") {
        Ok(index) if !value.is_instance_of::<PyBool>() => index.extract::<u64>().ok(),
        _ => None,
    };
    whole.ok_or_else(|| {
        Invalid::amount(argument, &format!("{WHOLE}, not {}", type_name(value))).into()
    })
}

/// A whole number, or `None` for no limit.
pub(super) fn limit(value: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<Option<u64>> {
    value.map(|value| amount(value, argument)).transpose()
}

/// An identifier: a str, or a `uuid.UUID`, which becomes its text.
pub(super) fn id<'py>(value: &Bound<'py, PyAny>, argument: &str) -> PyResult<Bound<'py, PyString>> {
    let text = match value.cast::<PyString>() {
        Ok(text) => text.clone(),
        Err(_) if is_uuid(value) => value.str()?,
        Err(_) => {
            let allowed = format!("a str or a uuid.UUID, not {}", type_name(value));
            return Err(Invalid::id(argument, &allowed).into());
        }
    };
    utf8(&text, argument)?;
    Ok(text)
}

/// The text of an identifier; lone surrogates have none.
pub(super) fn utf8<'a>(text: &'a Bound<'_, PyString>, argument: &str) -> PyResult<&'a str> {
    text.to_str()
        .map_err(|_| Invalid::id(argument, "text that has a UTF-8 form: no lone surrogates").into())
}

fn is_uuid(value: &Bound<'_, PyAny>) -> bool {
    let class = value.py().import("uuid").and_then(|uuid| uuid.getattr("UUID"));
    class.and_then(|class| value.is_instance(&class)).unwrap_or(false)
}

/// Seconds (int, float) or a `datetime.timedelta`: more than 0, at most a hundred years.
pub(super) fn duration(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Duration> {
    let bad = || -> PyErr {
        let allowed = "seconds (int or float) or a timedelta, more than 0 and at most 100 years";
        Invalid::policy(argument, &format!("{allowed}, not {}", shown(value))).into()
    };
    let duration = elapsed(value).ok_or_else(bad)?;
    if duration.is_zero() || duration > LONGEST { Err(bad()) } else { Ok(duration) }
}

/// Seconds (int, float) or a `datetime.timedelta`, not negative; `None` for anything else.
pub(super) fn elapsed(value: &Bound<'_, PyAny>) -> Option<Duration> {
    if let Ok(delta) = value.cast::<PyDelta>() {
        return delta.extract().ok();
    }
    if value.is_instance_of::<PyBool>() {
        return None;
    }
    if value.is_instance_of::<PyInt>() || !value.is_instance_of::<PyFloat>() {
        // Whole seconds stay exact; numpy integers count as ints.
        let whole = value.call_method0("__index__").and_then(|index| index.extract::<u64>());
        if let Ok(seconds) = whole {
            return Some(Duration::from_secs(seconds));
        }
    }
    let seconds = value.extract::<f64>().ok().filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// An optional time to live.
pub(super) fn ttl(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    value.map(|value| duration(value, "ttl")).transpose()
}

/// `SystemClock`, `ManualClock`, or `None` for the machine's.
pub(super) fn clock(value: Option<&Bound<'_, PyAny>>) -> PyResult<Clock> {
    let Some(value) = value else {
        return Ok(Clock::System);
    };
    if let Ok(manual) = value.cast::<PyManualClock>() {
        return Ok(manual.get().clock());
    }
    if value.is_instance_of::<PySystemClock>() {
        return Ok(Clock::System);
    }
    let allowed = format!("SystemClock() or ManualClock(), not {}", type_name(value));
    Err(Invalid::policy("clock", &allowed).into())
}

/// The keywords of every class with `reserve()`.
pub(super) fn policy(
    lease_ttl: Option<&Bound<'_, PyAny>>,
    unsettled: &str,
    on_error: &str,
) -> PyResult<Policy> {
    let mut policy = Policy::default();
    if let Some(ttl) = lease_ttl {
        policy.lease_ttl = duration(ttl, "lease_ttl")?;
    }
    policy.unsettled = match unsettled {
        "charge" => Unsettled::Charge,
        "release" => Unsettled::Release,
        other => return Err(choice("unsettled", other)),
    };
    policy.on_error = match on_error {
        "charge" => OnError::Charge,
        "release" => OnError::Release,
        other => return Err(choice("on_error", other)),
    };
    Ok(policy)
}

fn choice(argument: &str, given: &str) -> PyErr {
    Invalid::policy(argument, &format!("\"charge\" or \"release\", not {given:?}")).into()
}

/// What a request may use: a `UsageEstimate` (or `Usage`), or so many tokens.
#[inline]
pub(super) fn estimate(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Usage> {
    if let Some(usage) = usage(value) {
        return Ok(usage);
    }
    amount(value, argument).map(Usage::tokens)
}

/// A `Usage` or `UsageEstimate`.
#[inline]
pub(super) fn usage(value: &Bound<'_, PyAny>) -> Option<Usage> {
    // Neither class can be subclassed.
    if let Ok(estimate) = value.cast_exact::<PyUsageEstimate>() {
        return Some(estimate.get().0);
    }
    value.cast_exact::<PyUsage>().ok().map(|usage| usage.get().0)
}

/// The name of the value's type, for a message.
pub(super) fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string());
    name.map_or_else(|_| "that".to_owned(), |name| format!("a {name}"))
}

fn shown(value: &Bound<'_, PyAny>) -> String {
    match value.extract::<f64>() {
        Ok(number) if !value.is_instance_of::<PyBool>() => number.to_string(),
        _ => type_name(value),
    }
}

/// Keywords for `__getnewargs_ex__`, by which value classes pickle and copy.
pub(super) fn new_args<'py>(
    py: Python<'py>,
    keywords: Bound<'py, pyo3::types::PyDict>,
) -> (Bound<'py, PyTuple>, Bound<'py, pyo3::types::PyDict>) {
    (PyTuple::empty(py), keywords)
}

/// Accounts hold what was spent: a copy would be a second one.
pub(super) fn no_copies(class: &str) -> PyErr {
    pyo3::exceptions::PyTypeError::new_err(format!(
        "{class} can not be pickled or copied: a copy would have a limit of its own; create it \
         where it is used"
    ))
}
