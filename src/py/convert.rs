//! What users pass, as the core's types; what is bad is named.

use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyFloat, PyInt, PyString, PyTuple};

use super::amounts::{PyUsage, PyUsageEstimate};
use super::clock::{PyManualClock, PySystemClock};
use super::python_call::call_python_late;
use crate::accounting::{Clock, Invalid, Key, LONGEST, Usage};
use crate::ledger::{Actual, OnError, Policy, Unsettled};

const WHOLE: &str = "a whole number from 0 to 2**64 - 1";

/// A whole number: int or what counts as one (numpy integers), no bool, no float.
#[inline]
pub(super) fn amount(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<u64> {
    match small_amount(value) {
        Some(amount) => Ok(amount),
        None => odd_amount(value, argument),
    }
}

/// What nearly all amounts are: an int below 2**63, which is read without asking for its index.
#[inline]
fn small_amount(value: &Bound<'_, PyAny>) -> Option<u64> {
    let int = value.is_exact_instance_of::<PyInt>();
    let signed = int.then(|| value.extract::<i64>().ok()).flatten()?;
    u64::try_from(signed).ok()
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
    let whole = match index(value) {
        Ok(index) if !value.is_instance_of::<PyBool>() => index.extract::<u64>().ok(),
        // Ctrl-C and the like go on.
        Err(error) if !error.is_instance_of::<PyException>(value.py()) => return Err(error),
        _ => None,
    };
    whole.ok_or_else(|| {
        Invalid::amount(argument, &format!("{WHOLE}, not {}", type_name(value))).into()
    })
}

/// The whole number that an object counts as.
pub(super) fn index<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    call_python_late(value.py(), || value.call_method0("__index__"))
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
    name(&text, argument)?;
    Ok(text)
}

/// The text of an identifier, of 1 to 1,024 bytes.
pub(super) fn name<'a>(text: &'a Bound<'_, PyString>, argument: &str) -> PyResult<&'a str> {
    let text = utf8(text, argument)?;
    Key::check(argument, text)?;
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

/// The same, where 0 and `None` are no duration.
pub(super) fn duration_or_none(
    value: Option<&Bound<'_, PyAny>>,
    argument: &str,
) -> PyResult<Duration> {
    match value {
        Some(value) if elapsed(value) != Some(Duration::ZERO) => duration(value, argument),
        _ => Ok(Duration::ZERO),
    }
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
        let whole = index(value).and_then(|index| index.extract::<u64>());
        if let Ok(seconds) = whole {
            return Some(Duration::from_secs(seconds));
        }
    }
    let seconds = number(value).filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A number, as a float; no bool, not even numpy's.
pub(super) fn number(value: &Bound<'_, PyAny>) -> Option<f64> {
    if value.is_instance_of::<PyBool>() || type_name(value).starts_with("a bool") {
        return None;
    }
    call_python_late(value.py(), || value.extract::<f64>()).ok()
}

/// An optional time to live.
pub(super) fn ttl(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    value.map(|value| duration(value, "ttl")).transpose()
}

/// How long to wait: not negative, at most a hundred years; `None` for as long as it takes.
pub(super) fn timeout(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    let timeout = elapsed(value).filter(|timeout| *timeout <= LONGEST);
    timeout.map(Some).ok_or_else(|| {
        let allowed = "seconds (int or float) or a timedelta, from 0 to 100 years, or None";
        Invalid::policy("timeout", &format!("{allowed}, not {}", shown(value))).into()
    })
}

/// As a float that is not earlier than the truth.
pub(super) fn seconds_up(wait: Duration) -> f64 {
    let seconds = wait.as_secs_f64();
    let early = Duration::try_from_secs_f64(seconds).is_ok_and(|rounded| rounded < wait);
    if early { seconds.next_up() } else { seconds }
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

/// The steps of `execute_step`.
pub(super) struct StepsArg(pub(super) u64);

/// The tokens of a limiter's slot.
pub(super) struct TokensArg(pub(super) u64);

impl<'py> FromPyObject<'_, 'py> for TokensArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "tokens").map(Self)
    }
}

/// The status of a response.
pub(super) struct StatusArg(pub(super) u16);

impl<'py> FromPyObject<'_, 'py> for StatusArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let status = amount(&given, "status").ok().and_then(|status| u16::try_from(status).ok());
        status.map(Self).ok_or_else(|| {
            let allowed = format!("the status code of a response, not {}", shown(&given));
            Invalid::policy("status", &allowed).into()
        })
    }
}

/// The calls of `charge`.
pub(super) struct CallsArg(pub(super) u64);

impl<'py> FromPyObject<'_, 'py> for StepsArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "n").map(Self)
    }
}

impl<'py> FromPyObject<'_, 'py> for CallsArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        amount(&given, "calls").map(Self)
    }
}

/// The keyword `unsettled`.
pub(super) struct UnsettledArg(Unsettled);

/// The keyword `on_error`.
pub(super) struct OnErrorArg(OnError);

impl UnsettledArg {
    pub(super) const CHARGE: Self = Self(Unsettled::Charge);
}

impl OnErrorArg {
    pub(super) const RELEASE: Self = Self(OnError::Release);
}

impl<'py> FromPyObject<'_, 'py> for UnsettledArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let charge = charges(&given, "unsettled")?;
        Ok(Self(if charge { Unsettled::Charge } else { Unsettled::Release }))
    }
}

impl<'py> FromPyObject<'_, 'py> for OnErrorArg {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let charge = charges(&given, "on_error")?;
        Ok(Self(if charge { OnError::Charge } else { OnError::Release }))
    }
}

/// "charge" or "release".
fn charges(given: &Bound<'_, PyAny>, argument: &str) -> PyResult<bool> {
    let text = given.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    match text {
        Some("charge") => Ok(true),
        Some("release") => Ok(false),
        _ => {
            let given = text.map_or_else(|| type_name(given), |text| format!("{text:?}"));
            let allowed = format!("\"charge\" or \"release\", not {given}");
            Err(Invalid::policy(argument, &allowed).into())
        }
    }
}

/// The keywords of every class with `reserve()`.
pub(super) fn policy(
    lease_ttl: Option<&Bound<'_, PyAny>>,
    unsettled: &UnsettledArg,
    on_error: &OnErrorArg,
) -> PyResult<Policy> {
    let ttl = lease_ttl.map(|ttl| duration(ttl, "lease_ttl")).transpose()?;
    let lease_ttl = ttl.unwrap_or(Policy::default().lease_ttl);
    let (unsettled, on_error) = (unsettled.0, on_error.0);
    Ok(Policy { lease_ttl, unsettled, on_error, ..Policy::default() })
}

/// What a request may use: a `UsageEstimate` (or `Usage`), or so many tokens.
#[inline]
pub(super) fn estimate(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Usage> {
    if let Some(tokens) = small_amount(value) {
        return Ok(Usage::tokens(tokens));
    }
    match usage(value) {
        Some(usage) => Ok(usage),
        None => amount(value, argument).map(Usage::tokens),
    }
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

/// What was used: a `Usage` (or `UsageEstimate`), or so many tokens.
#[inline]
pub(super) fn actual(value: &Bound<'_, PyAny>) -> PyResult<Actual> {
    if let Some(usage) = usage(value) {
        return Ok(Actual::Usage(usage));
    }
    amount(value, "usage").map(Actual::Tokens)
}

/// The name of the value's type, for a message.
pub(super) fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string());
    name.map_or_else(|_| "that".to_owned(), |name| format!("a {name}"))
}

pub(super) fn shown(value: &Bound<'_, PyAny>) -> String {
    number(value).map_or_else(|| type_name(value), |number| number.to_string())
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
