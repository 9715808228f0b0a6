//! Reads estimates and usage as users pass them.

use pyo3::prelude::*;

use super::amounts::{PyUsage, PyUsageEstimate};
use crate::accounting::Usage;
use crate::ledger::ActualRef;
use crate::py::args::{amount, small_amount};

/// Reads an estimate: a `UsageEstimate` (or `Usage`), or a number of tokens.
#[inline]
pub(crate) fn estimate(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Usage> {
    if let Some(tokens) = small_amount(value) {
        return Ok(Usage::tokens(tokens));
    }
    match usage(value) {
        Some(usage) => Ok(usage.clone()),
        None => amount(value, argument).map(Usage::tokens),
    }
}

/// Reads a `Usage` or `UsageEstimate`.
#[inline]
pub(crate) fn usage<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a Usage> {
    // Neither class can be subclassed.
    if let Ok(estimate) = value.cast_exact::<PyUsageEstimate>() {
        return Some(&estimate.get().0);
    }
    value.cast_exact::<PyUsage>().ok().map(|usage| &usage.get().0)
}

/// Reads actual usage: a `Usage` (or `UsageEstimate`), or a number of tokens.
#[inline]
pub(crate) fn actual<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<ActualRef<'a>> {
    if let Some(usage) = usage(value) {
        return Ok(ActualRef::Usage(usage));
    }
    amount(value, "usage").map(ActualRef::Tokens)
}
