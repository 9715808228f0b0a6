//! What takes requests by their labels: a guard, or a part of one.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert;
use super::guard_request::request;
use super::labels::Labels;
use super::lease::PyBudgetLease;
use super::waiting::{PyMailbox, PyWait};
use crate::budgets::{Allotment, Guard, GuardRequest};
use crate::ledger::{Carried, Error, Lease, Mailbox, Wait};

type Pairs<'a> = [(&'a str, &'a str)];
type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// What takes requests by their labels.
pub(super) trait Asking {
    fn try_reserve(
        &self,
        labels: &Pairs<'_>,
        request: GuardRequest,
    ) -> Result<Option<Lease>, Error>;
    fn check(&self, labels: &Pairs<'_>, request: &GuardRequest) -> Result<(), Error>;
    fn wait(
        &self,
        labels: &Pairs<'_>,
        request: &GuardRequest,
        timeout: Option<Duration>,
        mailbox: Arc<Mailbox>,
    ) -> Result<(Wait, Carried), Error>;
}

macro_rules! asking {
    ($($class:ty),*) => {$(
        impl Asking for $class {
            fn try_reserve(
                &self,
                labels: &Pairs<'_>,
                request: GuardRequest,
            ) -> Result<Option<Lease>, Error> {
                self.try_reserve(labels, request)
            }

            fn check(&self, labels: &Pairs<'_>, request: &GuardRequest) -> Result<(), Error> {
                self.check(labels, request)
            }

            fn wait(
                &self,
                labels: &Pairs<'_>,
                request: &GuardRequest,
                timeout: Option<Duration>,
                mailbox: Arc<Mailbox>,
            ) -> Result<(Wait, Carried), Error> {
                self.wait(labels, request, timeout, mailbox)
            }
        }
    )*};
}

asking!(Guard, Allotment);

/// `reserve`, or None where it is to wait.
pub(super) fn try_reserve(
    of: &impl Asking,
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: &Bound<'_, PyDict>,
) -> PyResult<Option<PyBudgetLease>> {
    convert::timeout(timeout)?;
    let labels = Labels::of(labels.py(), Some(labels))?;
    let (pairs, request) = (labels.pairs()?, request(estimate, ttl, labels.landing)?);
    let lease = of.try_reserve(&pairs, request)?;
    Ok(lease.map(|lease| PyBudgetLease::new(lease, None)))
}

/// Joins the queue.
pub(super) fn wait(
    of: &impl Asking,
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: &Bound<'_, PyDict>,
    mailbox: &Bound<'_, PyMailbox>,
) -> PyResult<PyWait> {
    let labels = Labels::of(labels.py(), Some(labels))?;
    let request = request(estimate, ttl, labels.landing)?;
    let (timeout, mailbox) = (convert::timeout(timeout)?, mailbox.get().0.clone());
    let (wait, carried) = of.wait(&labels.pairs()?, &request, timeout, mailbox)?;
    Ok(PyWait::carrying(wait, carried))
}

/// Reserves, and waits in this thread where it is to wait.
pub(super) fn block(
    py: Python<'_>,
    of: &(impl Asking + Sync),
    estimate: Given<'_, '_>,
    ttl: Given<'_, '_>,
    timeout: Given<'_, '_>,
    labels: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyBudgetLease> {
    let given = labels.map_or_else(|| PyDict::new(py), Clone::clone);
    if let Some(lease) = try_reserve(of, estimate, ttl, timeout, &given)? {
        return Ok(lease);
    }
    let labels = Labels::of(py, labels)?;
    let (pairs, request) = (labels.pairs()?, request(estimate, ttl, labels.landing)?);
    let timeout = convert::timeout(timeout)?;
    PyWait::block(py, |mailbox| of.wait(&pairs, &request, timeout, mailbox))
}

/// Whether a request would pass now.
pub(super) fn check(
    py: Python<'_>,
    of: &impl Asking,
    estimate: Given<'_, '_>,
    labels: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    let labels = Labels::of(py, labels)?;
    let pairs = labels.pairs()?;
    Ok(of.check(&pairs, &request(estimate, None, labels.landing)?)?)
}
