//! What a request to a guard, or to a part of one, asks beside its labels.

use pyo3::prelude::*;

use super::convert;
use crate::accounting::Usage;
use crate::budgets::{AllotmentSize, GuardRequest};

/// What a request asks beside its labels.
pub(super) fn request(
    estimate: Option<&Bound<'_, PyAny>>,
    ttl: Option<&Bound<'_, PyAny>>,
    landing: bool,
) -> PyResult<GuardRequest> {
    let estimate = estimate.map(|given| convert::estimate(given, "estimate")).transpose()?;
    let estimate = estimate.unwrap_or(Usage::zero());
    Ok(GuardRequest { estimate, ttl: convert::ttl(ttl)?, landing, spent: false })
}

/// What a part sets aside.
pub(super) fn part_of(
    tokens: Option<&Bound<'_, PyAny>>,
    cost_micros_usd: Option<&Bound<'_, PyAny>>,
    calls: Option<&Bound<'_, PyAny>>,
) -> PyResult<AllotmentSize> {
    Ok(AllotmentSize {
        tokens: convert::limit(tokens, "tokens")?,
        cost_micros_usd: convert::limit(cost_micros_usd, "cost_micros_usd")?,
        calls: convert::limit(calls, "calls")?,
    })
}
