//! The keywords of every class with `reserve()`: how abandoned leases end.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::shown::type_name;
use super::time::duration;
use crate::accounting::Invalid;
use crate::ledger::{OnError, Policy, Unsettled};

/// The keyword `unsettled`.
pub(crate) struct UnsettledArg(Unsettled);

/// The keyword `on_error`.
pub(crate) struct OnErrorArg(OnError);

impl UnsettledArg {
    pub(crate) const CHARGE: Self = Self(Unsettled::Charge);

    /// Its word.
    pub(crate) fn shown<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        word(py, self.0 == Unsettled::Charge)
    }
}

fn word(py: Python<'_>, charges: bool) -> Bound<'_, PyAny> {
    PyString::intern(py, if charges { "charge" } else { "release" }).into_any()
}

impl OnErrorArg {
    pub(crate) const RELEASE: Self = Self(OnError::Release);

    /// Its word.
    pub(crate) fn shown<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        word(py, self.0 == OnError::Charge)
    }
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
pub(crate) fn policy(
    lease_ttl: Option<&Bound<'_, PyAny>>,
    unsettled: &UnsettledArg,
    on_error: &OnErrorArg,
) -> PyResult<Policy> {
    let ttl = lease_ttl.map(|ttl| duration(ttl, "lease_ttl")).transpose()?;
    let lease_ttl = ttl.unwrap_or(Policy::default().lease_ttl);
    let (unsettled, on_error) = (unsettled.0, on_error.0);
    Ok(Policy { lease_ttl, unsettled, on_error, ..Policy::default() })
}

/// The keywords of a guard: each holds instead of what the policy says.
pub(crate) struct LeaseKeywords<'a, 'py> {
    pub(crate) lease_ttl: Option<&'a Bound<'py, PyAny>>,
    pub(crate) unsettled: Option<UnsettledArg>,
    pub(crate) on_error: Option<OnErrorArg>,
}

impl LeaseKeywords<'_, '_> {
    /// Changes `policy` where a keyword is given.
    pub(crate) fn put_into(&self, policy: &mut Policy) -> PyResult<()> {
        if let Some(ttl) = self.lease_ttl {
            policy.lease_ttl = duration(ttl, "lease_ttl")?;
        }
        if let Some(UnsettledArg(unsettled)) = self.unsettled {
            policy.unsettled = unsettled;
        }
        if let Some(OnErrorArg(on_error)) = self.on_error {
            policy.on_error = on_error;
        }
        Ok(())
    }
}
