//! Reads the settings of a request to a guard or an allotment, beside its labels.

use pyo3::prelude::*;

use crate::accounting::Usage;
use crate::budgets::{AllotmentSize, GuardRequest};
use crate::py::{args, values};

/// Reads the settings of a request, beside its labels.
pub(super) fn request(
    estimate: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
    landing: bool,
) -> PyResult<GuardRequest> {
    let estimate = estimate.map(|given| values::estimate(given, "estimate")).transpose()?;
    let estimate = estimate.unwrap_or(Usage::zero());
    Ok(GuardRequest { estimate, ttl: args::ttl(ttl)?, landing, spent: false })
}

/// Reads the size of an allotment: tokens, micro-USD, calls.
pub(super) fn allotment_size(
    [tokens, cost_micros_usd, calls]: [Option<&Bound<'_, PyAny>>; 3],
) -> PyResult<AllotmentSize> {
    Ok(AllotmentSize {
        tokens: args::limit(tokens, "tokens")?,
        cost_micros_usd: args::limit(cost_micros_usd, "cost_micros_usd")?,
        calls: args::limit(calls, "calls")?,
    })
}
