//! Empty methods for the benches. The ratio to them is the cost of a decision beyond the call
//! itself.

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
    const fn consume(&self, _operation: &str, _estimated_tokens: i64) {}

    #[doc = stub!("EmptyMethods.consume_objects")]
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn consume_objects(
        &self,
        _operation: &Bound<'_, PyAny>,
        _estimated_tokens: &Bound<'_, PyAny>,
    ) {
    }

    #[doc = stub!("EmptyMethods.execute_step")]
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn execute_step(&self) {}
}
