//! Reads estimates and usage as users pass them.

use pyo3::prelude::*;

use super::amounts::{PyUsage, PyUsageEstimate};
use crate::accounting::Usage;
use crate::ledger::Actual;
use crate::py::args::{amount, small_amount};

/// Reads an estimate: a `UsageEstimate` (or `Usage`), or a number of tokens.
#[inline]
pub(crate) fn estimate(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Usage> {
    if let Some(tokens) = small_amount(value) {
        return Ok(Usage::tokens(tokens));
    }
    match usage(value) {
        Some(usage) => Ok(usage),
        None => amount(value, argument).map(Usage::tokens),
    }
}

/// Reads a `Usage` or `UsageEstimate`.
#[inline]
pub(crate) fn usage(value: &Bound<'_, PyAny>) -> Option<Usage> {
    // Neither class can be subclassed.
    if let Ok(estimate) = value.cast_exact::<PyUsageEstimate>() {
        return Some(estimate.get().0.clone());
    }
    value.cast_exact::<PyUsage>().ok().map(|usage| usage.get().0.clone())
}

/// Reads actual usage: a `Usage` (or `UsageEstimate`), or a number of tokens.
#[inline]
pub(crate) fn actual(value: &Bound<'_, PyAny>) -> PyResult<Actual> {
    if let Some(usage) = usage(value) {
        return Ok(Actual::Usage(usage));
    }
    amount(value, "usage").map(Actual::Tokens)
}
