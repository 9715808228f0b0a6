//! Caches the costs of operations by the identity of their names. A program has few names, and
//! their string objects live as long as it does. So most lookups hash nothing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::accounting::Invalid;
use crate::budgets::AgentTokenBudget;
use crate::py::args;

/// How many names are cached by identity. Others are found by their text.
const NAMES_MAX: usize = 8;

/// A small table that is filled once and then only read.
pub(super) struct OperationCache {
    addresses: [AtomicUsize; NAMES_MAX],
    costs: [AtomicU64; NAMES_MAX],
    /// The strings at `addresses`. While they live, no other object can have their addresses.
    names: Mutex<Vec<Py<PyString>>>,
}

impl OperationCache {
    pub(super) fn new() -> Self {
        Self {
            addresses: [const { AtomicUsize::new(0) }; NAMES_MAX],
            costs: [const { AtomicU64::new(0) }; NAMES_MAX],
            names: Mutex::new(Vec::new()),
        }
    }

    /// The cost of one token of `operation`.
    #[inline]
    pub(super) fn cost(
        &self,
        budget: &AgentTokenBudget,
        operation: &Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let address = operation.as_ptr().addr();
        for (index, cached) in self.addresses.iter().enumerate() {
            // Acquire pairs with the Release below: a thread that reads the address also reads the
            // cost.
            match cached.load(Ordering::Acquire) {
                0 => break,
                hit if hit == address => return Ok(self.costs[index].load(Ordering::Relaxed)),
                _ => {}
            }
        }
        self.find_cost(budget, operation)
    }

    #[cold]
    fn find_cost(&self, budget: &AgentTokenBudget, operation: &Bound<'_, PyAny>) -> PyResult<u64> {
        let text = name_of(operation)?;
        // The lock is held until the entry is stored, so that no change comes between.
        let mut names = self.names.lock();
        let cost = budget.cost_of(text);
        let index = names.len();
        if index < NAMES_MAX
            && let Ok(name) = operation.cast::<PyString>()
        {
            names.push(name.clone().unbind());
            self.costs[index].store(cost, Ordering::Relaxed);
            self.addresses[index].store(name.as_ptr().addr(), Ordering::Release);
        }
        Ok(cost)
    }

    /// Sets the cost of one token of `operation`, here and in the budget.
    pub(super) fn set(
        &self,
        budget: &AgentTokenBudget,
        operation: &Bound<'_, PyAny>,
        cost: u64,
    ) -> PyResult<()> {
        let text = name_of(operation)?;
        let names = self.names.lock();
        budget.add_operation_cost(text, cost)?;
        for (index, name) in names.iter().enumerate() {
            if name.bind(operation.py()).to_str()? == text {
                self.costs[index].store(cost, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// The name of an operation: any text of 1 to 1,024 bytes.
pub(crate) fn name_of<'a>(operation: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let Ok(name) = operation.cast::<PyString>() else {
        let allowed = format!("a str, not {}", args::type_name(operation));
        return Err(Invalid::id("operation", &allowed).into());
    };
    args::name(name, "operation")
}
