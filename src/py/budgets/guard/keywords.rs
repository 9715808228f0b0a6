//! What a guard is made with, beside its policy.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::budgets::{GuardOptions, GuardPolicy, StorePolicy};
use crate::py::args::LeaseKeywords;
use crate::py::store::{MadeOf, given_with};
use crate::py::values;

/// What a guard is made with, beside its policy.
pub(super) struct GuardKeywords<'a, 'py> {
    pub(super) clock: Option<&'a Bound<'py, PyAny>>,
    pub(super) leases: LeaseKeywords<'a, 'py>,
    pub(super) store: Option<&'a Bound<'py, PyAny>>,
}

impl GuardKeywords<'_, '_> {
    /// The store: the argument, or what the policy says.
    pub(super) fn store(&self, py: Python<'_>, policy: &GuardPolicy) -> PyResult<GuardOptions> {
        let StorePolicy { url, options } = policy.defaults.store.clone();
        let url = url.map(|url| PyString::new(py, &url).into_any());
        let (store, clock) = match self.store.or(url.as_ref()) {
            Some(store) => given_with(store, self.clock, options)?,
            None => (None, values::clock(self.clock)?),
        };
        Ok(GuardOptions { clock, store, store_stands_in: self.store.is_some() })
    }

    pub(super) fn made(&self, policy: &Bound<'_, PyAny>) -> PyResult<MadeOf> {
        let py = policy.py();
        let LeaseKeywords { lease_ttl, unsettled, on_error } = &self.leases;
        let unsettled = unsettled.as_ref().map(|word| word.shown(py));
        let on_error = on_error.as_ref().map(|word| word.shown(py));
        MadeOf::keep(
            py,
            None,
            &[policy],
            &[
                ("clock", self.clock),
                ("lease_ttl", *lease_ttl),
                ("unsettled", unsettled.as_ref()),
                ("on_error", on_error.as_ref()),
                ("store", self.store),
            ],
        )
    }
}
