//! The floor: methods that take the same arguments and do nothing. Benches compare with it, so
//! that a ratio says what a decision costs beyond the call that carries it.

use pyo3::prelude::*;

#[doc = stub!("EmptyMethods")]
#[pyclass(module = "outlay._core", name = "EmptyMethods", frozen)]
pub(crate) struct PyEmptyMethods;

#[pymethods]
impl PyEmptyMethods {
    #[new]
    const fn new() -> Self {
        Self
    }

    #[doc = stub!("EmptyMethods.consume")]
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn consume(&self, _operation: &str, _estimated_tokens: u64) {}

    #[doc = stub!("EmptyMethods.record_usage")]
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn record_usage(&self, _tokens: u64) {}

    #[doc = stub!("EmptyMethods.execute_step")]
    #[pyo3(signature = (_n = None))]
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn execute_step(&self, _n: Option<u64>) {}
}
