//! What a request may use, and what it did use, as users pass it.

use pyo3::prelude::*;

use super::amounts::{PyUsage, PyUsageEstimate};
use crate::accounting::Usage;
use crate::ledger::Actual;
use crate::py::args::{amount, small_amount};

/// What a request may use: a `UsageEstimate` (or `Usage`), or so many tokens.
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

/// A `Usage` or `UsageEstimate`.
#[inline]
pub(crate) fn usage(value: &Bound<'_, PyAny>) -> Option<Usage> {
    // Neither class can be subclassed.
    if let Ok(estimate) = value.cast_exact::<PyUsageEstimate>() {
        return Some(estimate.get().0);
    }
    value.cast_exact::<PyUsage>().ok().map(|usage| usage.get().0)
}

/// What was used: a `Usage` (or `UsageEstimate`), or so many tokens.
#[inline]
pub(crate) fn actual(value: &Bound<'_, PyAny>) -> PyResult<Actual> {
    if let Some(usage) = usage(value) {
        return Ok(Actual::Usage(usage));
    }
    amount(value, "usage").map(Actual::Tokens)
}
