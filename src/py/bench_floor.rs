//! Empty methods for the benches. The ratio to them is the cost of a decision beyond the call
//! itself.

use pyo3::prelude::*;

/// Empty methods with the kinds of arguments that the real ones take.
#[pyclass(module = "outlay._core", name = "EmptyMethods", frozen)]
pub(crate) struct PyEmptyMethods;

#[pymethods]
impl PyEmptyMethods {
    #[new]
    const fn new() -> Self {
        Self
    }

    /// A text and a whole number, both converted: what every table divides by.
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn consume(&self, _operation: &str, _estimated_tokens: i64) {}

    /// Two objects that are not looked at, as `AgentTokenBudget.consume` takes them.
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn consume_objects(
        &self,
        _operation: &Bound<'_, PyAny>,
        _estimated_tokens: &Bound<'_, PyAny>,
    ) {
    }

    /// No argument, as `WorkflowToken.execute_step` is called.
    #[expect(clippy::unused_self, reason = "a method, to be called as one")]
    const fn execute_step(&self) {}
}
