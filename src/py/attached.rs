//! The docstrings of what the package writes in Python and attaches to native classes.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

macro_rules! docs {
    ($asked:expr, $($name:literal)+) => {
        match $asked {
            $($name => Some(stub!($name)),)+
            _ => None,
        }
    };
}

#[doc = stub!("attached_doc")]
#[pyfunction]
pub(crate) fn attached_doc(name: &str) -> PyResult<&'static str> {
    docs!(name,
        "Allotment.allot"
        "Allotment.reserve_wait"
        "BoundGuard.allot"
        "BoundGuard.reserve_wait"
        "BoundGuard.run"
        "BoundGuard.step"
        "BudgetInfo.from_dict"
        "BudgetInfo.to_dict"
        "BudgetLimit.from_dict"
        "BudgetLimit.to_dict"
        "FullBudgetInfo.from_dict"
        "FullBudgetInfo.to_dict"
        "Guard.allot"
        "Guard.allowances"
        "Guard.landing"
        "Guard.reserve_wait"
        "Guard.run"
        "Guard.scope"
        "Guard.step"
        "RateLimiter.acquire_slot"
        "RateLimiter.reserve_wait"
        "Remaining.from_dict"
        "Remaining.to_dict"
        "RequestBudget.from_dict"
        "RequestBudget.to_dict"
        "SharedPool.reserve_wait"
        "Store.open"
        "Store.sync_async"
        "Usage.from_dict"
        "Usage.from_response"
        "Usage.to_dict"
        "UsageEstimate.from_dict"
        "UsageEstimate.to_dict"
    )
    .ok_or_else(|| PyKeyError::new_err(name.to_owned()))
}
