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
        "Guard.allot"
        "Guard.allowances"
        "Guard.landing"
        "Guard.reserve_wait"
        "Guard.run"
        "Guard.scope"
        "Guard.step"
        "RateLimiter.acquire_slot"
        "RateLimiter.reserve_wait"
        "SharedPool.reserve_wait"
        "Usage.from_response"
    )
    .ok_or_else(|| PyKeyError::new_err(name.to_owned()))
}
